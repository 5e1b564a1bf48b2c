/**
 * Findings as SARIF 2.1.0, the form in which code reviews show them beside the line they speak of.
 * Pure. `pathOf` says where a finding's file lies, as the review is to name it.
 */
import type { JsonObject } from '../domain/json';
import { FINDINGS, type Finding } from './report';

export function sarif(findings: readonly Finding[], pathOf: (file: string) => string): JsonObject {
  const rules = [...new Set(findings.map((f) => f.code))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'countersign', rules: rules.map((id) => ({ id, shortDescription: { text: FINDINGS[id] } })) } },
        columnKind: 'utf16CodeUnits',
        results: findings.map(({ code, severity, file, line, column, row, message }) => ({
          ruleId: code,
          ruleIndex: rules.indexOf(code),
          level: severity,
          message: { text: row === null ? message : `${row}: ${message}` },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(pathOf(file)) },
                region: { startLine: line, startColumn: column },
              },
              ...(row === null ? {} : { logicalLocations: [{ name: row, kind: 'member' }] }),
            },
          ],
        })),
      },
    ],
  };
}

/** Each part of the path encoded, so that a blank or a `#` in a name stays one. What is not absolute is relative to the repository. */
function uriOf(path: string): string {
  const parts = path.split(/[/\\]/);
  const encoded = parts.filter((part, i) => part !== '.' && (part !== '' || i === 0)).map(encodeURIComponent);
  return `${parts[0] === '' ? 'file://' : ''}${encoded.join('/')}`;
}
