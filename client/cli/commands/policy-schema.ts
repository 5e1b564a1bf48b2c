/**
 * `countersign policy schema`: the JSON Schema of a policy's files, for editors.
 */
import { Argument, type Command } from 'commander';
import { z } from 'zod';
import { jsonSchema, ReplaySchema, SCHEMAS } from '../../../policy';
import type { World } from '../io';

export function policySchemaCommand(policy: Command, world: World): void {
  policy
    .command('schema')
    .description('the JSON Schema of a policy file, so that editors complete and underline it')
    .addArgument(new Argument('[of]', 'which file; replay is what policy replay --json answers').choices([...SCHEMAS, 'replay']).default('policy'))
    .action((of: (typeof SCHEMAS)[number] | 'replay') => {
      world.out(`${JSON.stringify(of === 'replay' ? z.toJSONSchema(ReplaySchema) : jsonSchema(of), null, 2)}\n`);
    });
}
