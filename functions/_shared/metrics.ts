/**
 * Figures in the text format of Prometheus, which Grafana and others scrape.
 *
 * By hand: client libraries such as prom-client count within their own process, and these figures are read from the database
 * at each call. What a library would leave to us is the list of metrics; what it would save are twenty lines.
 */

type Labels = Record<string, string>;

interface Metric {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  /** Its samples in an answer; a value that is no number is left out: "does not apply here". */
  samples: (answer: Record<string, unknown>) => [labels: Labels, value: unknown][];
}

const states = ['none', 'pending', 'running', 'paused', 'succeeded', 'failed', 'cancelled'];

/** As SQL names them, and as Prometheus does. */
const quantiles = { p50: '0.5', p95: '0.95', p99: '0.99', max: '1' };

/** What the plan calls them: users, bookings. */
const entities = ({ entity_plural }: Record<string, unknown>): Labels => ({
  entities: String(entity_plural),
});

/** A field of the answer as the one sample, in another unit if need be. */
const field =
  (name: string, divisor = 1): Metric['samples'] =>
  (answer) => {
    const value = answer[name];
    return [[{}, typeof value === 'number' ? value / divisor : undefined]];
  };

/** The entries of a field, each a sample, in another unit if need be. */
const entries =
  (name: string, label: string, divisor = 1): Metric['samples'] =>
  (answer) =>
    Object.entries(answer[name] ?? {}).map(([key, value]) => [{ [label]: key }, Number(value) / divisor]);

const metricsOf: Metric[] = [
  {
    name: 'imago_entities',
    help: 'Entities by what has become of them; outside: pending, and not in the cohort that runs take.',
    type: 'gauge',
    samples: (answer) => [
      [{ ...entities(answer), state: 'migrated' }, answer.migrated],
      [{ ...entities(answer), state: 'pending' }, answer.pending],
      [{ ...entities(answer), state: 'failed' }, answer.failed],
      [{ ...entities(answer), state: 'held' }, answer.held],
      [{ ...entities(answer), state: 'conflict' }, answer.conflicts],
      [{ ...entities(answer), state: 'outside' }, answer.outside],
    ],
  },
  {
    name: 'imago_entities_all',
    help: 'Entities that the plan concerns.',
    type: 'gauge',
    samples: (answer) => [[entities(answer), answer.total]],
  },
  {
    name: 'imago_completion_ratio',
    help: 'Migrated entities among those that are migrated or pending, 0 to 1.',
    type: 'gauge',
    samples: field('percentage', 100),
  },
  {
    name: 'imago_run_state',
    help: '1 for the state that the newest run is in.',
    type: 'gauge',
    samples: ({ state }) =>
      state === undefined ? [] : states.map((name) => [{ state: name }, name === state ? 1 : 0]),
  },
  {
    name: 'imago_entities_per_minute',
    help: 'Entities moved a minute, lately.',
    type: 'gauge',
    samples: (answer) => [[entities(answer), answer.per_minute ?? answer.per_minute_now]],
  },
  {
    name: 'imago_eta_seconds',
    help: 'Seconds until the run is done, at the rate of late.',
    type: 'gauge',
    samples: field('eta_seconds'),
  },
  {
    name: 'imago_share',
    help: 'Share of the time that the callers of the running run work, 0 to 1; 0 while it is held.',
    type: 'gauge',
    // Nobody looks between runs.
    samples: ({ state, health }) =>
      state === 'running' ? [[{}, (health as { share?: number } | null)?.share]] : [],
  },
  {
    name: 'imago_held_seconds_total',
    help: 'Seconds that a signal of the governor has held the runs of the plan.',
    type: 'counter',
    samples: entries('waited_ms_by_signal', 'signal', 1000),
  },
  {
    name: 'imago_health',
    help: 'What a signal counts as while a run is running: 0 fine, 1 slows, 2 holds, 3 ends the call.',
    type: 'gauge',
    samples: entries('level_by_signal', 'signal'),
  },
  {
    name: 'imago_batches_total',
    help: 'Batches of the newest run that moved entities.',
    type: 'counter',
    samples: field('batches'),
  },
  {
    name: 'imago_batch_seconds',
    help: 'Duration of the batches of the newest run.',
    type: 'gauge',
    samples: ({ batch_ms }) => {
      const times = (batch_ms ?? {}) as Record<string, number | null>;
      const seconds = (name: string) => (typeof times[name] === 'number' ? times[name] / 1000 : undefined);
      return Object.entries(quantiles).map(([name, quantile]) => [{ quantile }, seconds(name)]);
    },
  },
  {
    name: 'imago_rows_written_total',
    help: 'Rows written by the newest run.',
    type: 'counter',
    samples: entries('rows', 'relation'),
  },
  {
    name: 'imago_errors_total',
    help: 'Entities set aside by the newest run.',
    type: 'counter',
    samples: entries('errors_by_sqlstate', 'sqlstate'),
  },
  {
    name: 'imago_batches_troubled_total',
    help: 'Batches of the newest run that met a lock, were halved or timed out.',
    type: 'counter',
    samples: (answer) => [
      [{ trouble: 'deferred' }, answer.deferred_batches],
      [{ trouble: 'halved' }, answer.halved_batches],
      [{ trouble: 'timed_out' }, answer.timed_out_batches],
    ],
  },
  {
    name: 'imago_database_connections',
    help: 'Connections to the database.',
    type: 'gauge',
    samples: field('database_connections'),
  },
  {
    name: 'imago_cache_hit_ratio',
    help: 'Share of blocks that the database found in its memory.',
    type: 'gauge',
    samples: field('cache_hit_ratio'),
  },
];

/** The names of all metrics that there are. */
export function metricNames(): string[] {
  return metricsOf.map(({ name }) => name);
}

/** All metrics that the answer has figures for. */
export function metrics(plan: string, answer: Record<string, unknown>): string {
  return metricsOf
    .map(({ name, help, type, samples }) => {
      const lines = samples(answer)
        .filter(([, value]) => typeof value === 'number')
        .map(([labels, value]) => `${name}${written({ plan, ...labels })} ${value}\n`);
      return lines.length > 0 ? `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}` : '';
    })
    .join('');
}

function written(labels: Labels): string {
  const escaped = (value: string) =>
    value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`;
}
