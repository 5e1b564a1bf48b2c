/**
 * `countersign policy schema`: the JSON Schema of a policy's files, for editors.
 */
import { Argument, type Command } from 'commander';
import { jsonSchema, SCHEMAS } from '../../../policy';
import type { World } from '../io';

export function policySchemaCommand(policy: Command, world: World): void {
  policy
    .command('schema')
    .description('the JSON Schema of a policy file, so that editors complete and underline it')
    .addArgument(new Argument('[of]', 'which file').choices(SCHEMAS).default('policy'))
    .action((of: (typeof SCHEMAS)[number]) => {
      world.out(`${JSON.stringify(jsonSchema(of), null, 2)}\n`);
    });
}
