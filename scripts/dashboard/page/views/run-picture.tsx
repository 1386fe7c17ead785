/** A run over time, as a picture with axes: its rate, the size of its sub-batches, and what it has set aside. */
import type { HistoryRun } from '../../../../functions/_shared/validation.ts';
import type { Words } from '../../../../functions/_shared/words.ts';
import { heading, whole } from '../../../command/figures.ts';
import { runText } from '../../../validate/report/runs.ts';

type Point = HistoryRun['points'][number];

/** The panels, from top to bottom. */
const panels: readonly {
  name: string;
  /** What stands behind the plan's word for what it moves. */
  title: string;
  /** The same for a rollback, where it is another one. */
  back?: string;
  /** A sub-batch has its size from the end of the one before on; a count holds from its moment on. */
  step?: 'before' | 'after';
  value: (point: Point) => number | null | undefined;
}[] = [
  { name: 'rate', title: 'a minute', value: ({ per_minute }) => per_minute },
  { name: 'size', title: 'in a sub-batch', step: 'before', value: ({ batch_size }) => batch_size },
  {
    name: 'aside',
    title: 'set aside so far',
    back: 'left alone so far',
    step: 'after',
    value: ({ failures }) => failures,
  },
];

const width = 480;
const left = 62;
const right = 12;
const panelHeight = 78;
const panelGap = 42;
const top = 26;
const bottom = 40;
const height = top + panels.length * panelHeight + (panels.length - 1) * panelGap + bottom;

const units = [
  { word: 'seconds', ms: 1_000, upTo: 180_000 },
  { word: 'minutes', ms: 60_000, upTo: 3 * 3_600_000 },
  { word: 'hours', ms: 3_600_000, upTo: Number.POSITIVE_INFINITY },
] as const;

export function RunPicture({ run, words }: { run: HistoryRun; words: Words }) {
  const times = run.points.map(({ at }) => Date.parse(at));
  const start = Math.min(...times, run.started_at ? Date.parse(run.started_at) : Number.POSITIVE_INFINITY);
  const span = Math.max(0, ...times) - start;
  const unit = units.find(({ upTo }) => span <= upTo) ?? units[2];
  const most = Math.max(1, span / unit.ms);
  const x = (ms: number): number => left + ((width - left - right) * ms) / unit.ms / most;
  const id = `run-${run.run}`;
  return (
    <svg
      class="picture"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-labelledby={`${id}-title ${id}-text`}
    >
      <title id={`${id}-title`}>Run {run.run} over time</title>
      <desc id={`${id}-text`}>{runText(run, words)}</desc>
      {panels.map(({ name, title, back = title, step, value }, index) => (
        <Panel
          key={name}
          name={name}
          title={`${heading(words)} ${run.direction === 'rollback' ? back : title}`}
          top={top + index * (panelHeight + panelGap)}
          step={step}
          places={run.points.flatMap((point, n) => {
            const seen = value(point);
            return seen == null ? [] : [{ x: x((times[n] ?? start) - start), value: seen }];
          })}
        />
      ))}
      {ticksTo(most)
        .filter((at) => at <= most)
        .map((at) => (
          <text key={at} x={x(at * unit.ms)} y={height - 24} class="middle">
            {whole(at)}
          </text>
        ))}
      <text x={(left + width - right) / 2} y={height - 6} class="middle">
        {unit.word} since the start of the run
      </text>
    </svg>
  );
}

interface PanelProps {
  name: string;
  title: string;
  top: number;
  step: 'before' | 'after' | undefined;
  places: { x: number; value: number }[];
}

function Panel({ name, title, top: y, step, places }: PanelProps) {
  const ticks = ticksTo(Math.max(1, ...places.map(({ value }) => value)));
  const most = ticks.at(-1) ?? 1;
  const down = (value: number): number => rounded(y + panelHeight * (1 - value / most));
  const line = places.flatMap((place, n) => {
    const before = places[n - 1];
    const corner =
      before && step
        ? [[step === 'before' ? before.x : place.x, step === 'before' ? place.value : before.value]]
        : [];
    return [...corner, [place.x, place.value]].map(([at = 0, value = 0]) => `${rounded(at)},${down(value)}`);
  });
  return (
    <g class={name}>
      <text x={0} y={y - 10} class="name">
        {title}
      </text>
      {ticks.map((value) => (
        <g key={value}>
          <line x1={left} x2={width - right} y1={down(value)} y2={down(value)} />
          <text x={left - 8} y={down(value) + 4} class="end">
            {whole(value)}
          </text>
        </g>
      ))}
      {line.length > 1 ? (
        <polyline points={line.join(' ')} />
      ) : (
        places.map((place) => <circle key={place.x} cx={rounded(place.x)} cy={down(place.value)} r={3} />)
      )}
    </g>
  );
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** Round numbers from 0 to what is no less than the most: whole ones, five at most. */
function ticksTo(most: number): number[] {
  const rough = most / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10));
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, n) => n * step);
}
