/**
 * Metrics as Prometheus reads them: text format 0.0.4. Pure.
 */
export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  /** One line, for whoever reads the page. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const labelled = (labels: Readonly<Record<string, string>> = {}): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

export const exposition = (families: readonly Family[]): string =>
  families
    .flatMap(({ name, type, help, samples }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(({ labels, value }) => `${name}${labelled(labels)} ${String(value)}`),
    ])
    .map((line) => `${line}\n`)
    .join('');

/** A count by labels, kept in this process. */
export interface Counts {
  add(labels: Readonly<Record<string, string>>, by?: number): void;
  family(): Family;
}

export function createCounts(name: string, help: string): Counts {
  const kept = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>();
  return {
    add(labels, by = 1) {
      const key = JSON.stringify(labels);
      const sample = kept.get(key) ?? { labels, value: 0 };
      kept.set(key, sample);
      sample.value += by;
    },
    family: () => ({ name, type: 'counter', help, samples: [...kept.values()] }),
  };
}
