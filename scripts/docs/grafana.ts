/** A dashboard of Grafana for the figures that the function `progress` gives Prometheus. Typed by Grafana's own schema. */
import { type Dashboard, type Panel, ThresholdsMode, VariableRefresh } from '@grafana/schema';

const datasource = { type: 'prometheus', uid: '$datasource' };

interface Drawing {
  title: string;
  description: string;
  type: 'stat' | 'timeseries' | 'state-timeline' | 'bargauge';
  /** Of 24 columns. */
  width: number;
  height: number;
  unit: string;
  /** PromQL, each with its legend; `$plan` is the plan that is looked at. */
  queries: [expression: string, legend: string][];
  max?: number;
  steps?: [value: number | null, color: string][];
}

const ofPlan = '{plan="$plan"}';

const drawings: Drawing[] = [
  {
    title: 'Migrated',
    description: 'Entities that are migrated, of those that are migrated or pending.',
    type: 'stat',
    width: 6,
    height: 5,
    unit: 'percentunit',
    max: 1,
    queries: [[`imago_completion_ratio${ofPlan}`, 'migrated']],
  },
  {
    title: 'State of the newest run',
    description: 'The name of the state that the newest run is in.',
    type: 'stat',
    width: 6,
    height: 5,
    unit: 'none',
    queries: [[`imago_run_state${ofPlan} == 1`, '{{state}}']],
  },
  {
    title: 'Time left',
    description: 'At the rate of late.',
    type: 'stat',
    width: 6,
    height: 5,
    unit: 's',
    queries: [[`imago_eta_seconds${ofPlan}`, 'left']],
  },
  {
    title: 'Set aside, held, in conflict',
    description: 'Look at these before you finalize: npm run migrate -- --stats-only says why.',
    type: 'stat',
    width: 6,
    height: 5,
    unit: 'short',
    steps: [
      [null, 'green'],
      [1, 'orange'],
    ],
    queries: [[`sum(imago_entities{plan="$plan", state=~"failed|held|conflict"})`, 'entities']],
  },
  {
    title: 'Entities a minute',
    description: 'Moved lately.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [[`imago_entities_per_minute${ofPlan}`, '{{entities}}']],
  },
  {
    title: 'Entities by what has become of them',
    description: 'Pending go down, migrated go up.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [[`imago_entities${ofPlan}`, '{{state}}']],
  },
  {
    title: 'Share of the time that a run works',
    description: '1: all the time. 0: held by the governor.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 'percentunit',
    max: 1,
    queries: [[`imago_share${ofPlan}`, 'share']],
  },
  {
    title: 'Signals of the governor',
    description: '0 fine, 1 slows, 2 holds, 3 ends the call.',
    type: 'state-timeline',
    width: 12,
    height: 8,
    unit: 'none',
    steps: [
      [null, 'green'],
      [1, 'yellow'],
      [2, 'red'],
    ],
    queries: [[`imago_health${ofPlan}`, '{{signal}}']],
  },
  {
    title: 'Held, seconds in a minute',
    description: 'How much of the time each signal has held the run.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 's',
    queries: [[`60 * rate(imago_held_seconds_total${ofPlan}[5m])`, '{{signal}}']],
  },
  {
    title: 'Duration of batches',
    description: 'No row is locked for longer than the batch that moves it.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 's',
    queries: [[`imago_batch_seconds${ofPlan}`, 'quantile {{quantile}}']],
  },
  {
    title: 'Rows written a second',
    description: 'By the newest run, table by table.',
    type: 'timeseries',
    width: 12,
    height: 8,
    unit: 'short',
    queries: [[`rate(imago_rows_written_total${ofPlan}[5m])`, '{{relation}}']],
  },
  {
    title: 'Why entities were set aside',
    description: 'By SQLSTATE.',
    type: 'bargauge',
    width: 6,
    height: 8,
    unit: 'short',
    queries: [[`imago_errors_total${ofPlan}`, '{{sqlstate}}']],
  },
  {
    title: 'Batches in trouble',
    description: 'That met a lock, were halved or timed out.',
    type: 'timeseries',
    width: 6,
    height: 8,
    unit: 'short',
    queries: [[`increase(imago_batches_troubled_total${ofPlan}[5m])`, '{{trouble}}']],
  },
];

/** Panels from left to right, a row below where the next one does not fit. */
function panels(): Panel[] {
  const at = { x: 0, y: 0 };
  return drawings.map((drawing, index) => {
    if (at.x + drawing.width > 24) Object.assign(at, { x: 0, y: at.y + (drawings[index - 1]?.height ?? 0) });
    const gridPos = { h: drawing.height, w: drawing.width, x: at.x, y: at.y };
    at.x += drawing.width;
    return panel(drawing, index + 1, gridPos);
  });
}

function panel(drawing: Drawing, id: number, gridPos: NonNullable<Panel['gridPos']>): Panel {
  const { title, description, type, unit, max, steps, queries } = drawing;
  return {
    id,
    title,
    description,
    type,
    datasource,
    gridPos,
    options: type === 'stat' ? { textMode: title.startsWith('State') ? 'name' : 'auto' } : {},
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max !== undefined && { max }),
        ...(steps && {
          thresholds: {
            mode: ThresholdsMode.Absolute,
            steps: steps.map(([value, color]) => ({ value, color })),
          },
        }),
      },
      overrides: [],
    },
    targets: queries.map(([expr, legendFormat], n) => ({
      refId: String.fromCharCode(65 + n),
      expr,
      legendFormat,
      datasource,
    })),
  };
}

/** The dashboard as Grafana imports it. */
export function grafana(): string {
  const dashboard: Dashboard = {
    title: 'Imago',
    uid: 'imago',
    description: 'Data migrations by Imago, from the function progress with format=prometheus.',
    tags: ['imago'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        { type: 'datasource', name: 'datasource', label: 'Data source', query: 'prometheus' },
        {
          type: 'query',
          name: 'plan',
          label: 'Plan',
          datasource,
          query: 'label_values(imago_entities_all, plan)',
          refresh: VariableRefresh.onTimeRangeChanged,
        },
      ],
    },
    panels: panels(),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
