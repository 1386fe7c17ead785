/** The run over time: rate and size of sub-batches, with what the governor allowed as bands behind them. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { duration, whole } from '../../../command/figures.ts';
import { conditionText } from '../../../command/health.ts';
import { progress, type Sample, samples } from '../state.ts';
import { type Stretch, stretchesIn } from '../stretches.ts';

const height = 200;
const leastPoints = 2;
const shownStretches = 20;

export function Chart() {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const seen = samples.value;

  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsFor(element), dataOf(samples.value), element);
    };
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    draw();
    resized.observe(element);
    dark.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', draw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(dataOf(seen)), [seen]);

  const last = progress.value?.state === 'running' ? seen.at(-1) : undefined;
  return (
    <figure class="chart">
      <figcaption>
        <span class="key rate">{last?.rate != null ? `${whole(last.rate)} a minute` : 'rate a minute'}</span>
        <span class="key size">
          {last?.size != null ? `sub-batches of ${whole(last.size)}` : 'size of sub-batches'}
        </span>
        <span class="key slowed">slowed</span>
        <span class="key held">waiting</span>
      </figcaption>
      <div
        class={`plot ${seen.length < leastPoints ? 'still' : ''}`}
        ref={place}
        role="img"
        aria-label={inWords(seen)}
      />
      {seen.length < leastPoints && <p class="over muted">The picture begins when something moves.</p>}
      <Reasons />
    </figure>
  );
}

/** The bands in words, the newest first. One line until somebody opens it, whatever happens. */
function Reasons() {
  const seen = stretchesIn(samples.value);
  const last = seen.at(-1);
  if (!last) return <p class="reasons muted">Nothing seen that slowed it.</p>;
  return (
    <details class="reasons">
      <summary>
        Slowed or held {seen.length === 1 ? 'once' : `${seen.length} times`}. Last: {inShort(last)}
      </summary>
      <ol>
        {seen
          .slice(-shownStretches)
          .reverse()
          .map((one) => (
            <li key={one.from}>
              <time>{clock(one.from)}</time> for {duration(1000 * (one.to - one.from))}: {inShort(one)}
            </li>
          ))}
      </ol>
    </details>
  );
}

function inShort({ share, reason }: Stretch): string {
  return conditionText({ kind: share === 0 ? 'waiting' : 'slowed', share, reason, about: '' }) ?? '';
}

function dataOf(seen: Sample[]): uPlot.AlignedData {
  return [seen.map(({ at }) => at), seen.map(({ rate }) => rate), seen.map(({ size }) => size)];
}

function inWords(seen: Sample[]): string {
  if (seen.length < leastPoints) return 'Rate and size of sub-batches over time: nothing has moved yet.';
  const rates = seen.flatMap(({ rate }) => (rate === null ? [] : [rate]));
  const held = seen.filter(({ share }) => share === 0).length;
  return `Rate over time: at most ${whole(Math.max(0, ...rates))} a minute, ${whole(rates.at(-1) ?? 0)} now; it waited in ${held} of ${seen.length} looks.`;
}

function optionsFor(element: HTMLElement): uPlot.Options {
  const colour = (name: string): string => getComputedStyle(element).getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour('muted'),
    grid: { stroke: colour('rule'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    series: [
      {},
      { stroke: colour('accent'), width: 2, scale: 'rate', spanGaps: true, points: { show: false } },
      {
        stroke: colour('size'),
        width: 1.5,
        dash: [5, 4],
        scale: 'size',
        spanGaps: true,
        points: { show: false },
      },
    ],
    scales: {
      rate: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
      size: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 80, size: 30, values: (_, ticks) => ticks.map(clock) },
      { ...axis, scale: 'rate', size: 48, values: (_, ticks) => ticks.map(short) },
      {
        ...axis,
        scale: 'size',
        side: 1,
        size: 44,
        grid: { show: false },
        values: (_, ticks) => ticks.map(short),
      },
    ],
    hooks: { drawClear: [(plot) => bands(plot, colour)] },
  };
}

/** From each moment in which the run was slowed or held to the next one, from the top down to the share that it was given. */
function bands(plot: uPlot, colour: (name: string) => string): void {
  const seen = samples.value;
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.globalAlpha = 0.22;
  for (const [index, { at, share }] of seen.entries()) {
    if (share === null || share === 1) continue;
    const from = plot.valToPos(at, 'x', true);
    const to = plot.valToPos(seen[index + 1]?.at ?? at, 'x', true);
    ctx.fillStyle = colour(share === 0 ? 'bad' : 'warn');
    ctx.fillRect(from, bbox.top, Math.max(1, to - from), bbox.height * (1 - share));
  }
  ctx.restore();
}

/** 1,200 as 1.2k: an axis has little room. */
function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e4 ? `${value / 1e3}k` : String(value);
}

/** Seconds as the clock of who reads it has them. */
function clock(at: number): string {
  return new Date(at * 1000).toLocaleTimeString('en-GB');
}
