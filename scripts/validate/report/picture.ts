/** A picture of a run: rate, batch size and what was set aside over time, as SVG in the colours of the page. */
import { LineChart } from 'echarts/charts';
import { GridComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { HistoryRun } from '../../../functions/_shared/validation.ts';
import type { Words } from '../../../functions/_shared/words.ts';
import { heading, whole } from '../../command/figures.ts';
import { printable } from '../../command/printable.ts';
import { html, Markup } from './markup.ts';

use([LineChart, GridComponent, TitleComponent, SVGRenderer]);

type Point = HistoryRun['points'][number];

/** The panels, from top to bottom. Colours are the page's, which knows light and dark. */
const panels: readonly {
  /** What stands behind the plan's word for what it moves. */
  title: string;
  /** The same for a rollback, where it is another one. */
  back?: string;
  colour: string;
  /** A batch has its size from the end of the one before on; a count holds from its moment on. */
  step?: 'start' | 'end';
  value: (point: Point) => number | null | undefined;
}[] = [
  {
    title: 'a minute',
    colour: 'var(--rate)',
    value: (point) => point.per_minute,
  },
  { title: 'in a batch', colour: 'var(--size)', step: 'start', value: (point) => point.batch_size },
  {
    title: 'set aside so far',
    back: 'left alone so far',
    colour: 'var(--aside)',
    step: 'end',
    value: (point) => point.failures,
  },
];

const width = 880;
const panelHeight = 110;
const panelGap = 62;
const top = 34;
const bottom = 52;
const height = top + panels.length * panelHeight + (panels.length - 1) * panelGap + bottom;

/** Above so many points the dots are only in the way. */
const dotsUpTo = 60;

const units = [
  { word: 'seconds', ms: 1_000, upTo: 180_000 },
  { word: 'minutes', ms: 60_000, upTo: 3 * 3_600_000 },
  { word: 'hours', ms: 3_600_000, upTo: Number.POSITIVE_INFINITY },
] as const;

/** Draws the run. `description` says the same in words, for who cannot see it. */
export function drawRun(run: HistoryRun, description: string, words: Words): Markup {
  const times = run.points.map((point) => Date.parse(point.at));
  const start = Math.min(...times, run.started_at ? Date.parse(run.started_at) : Number.POSITIVE_INFINITY);
  const span = Math.max(0, ...times) - start;
  const unit = units.find(({ upTo }) => span <= upTo) ?? units[2];
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  const gridTop = (i: number): number => top + i * (panelHeight + panelGap);
  const text = { color: 'var(--muted)', fontSize: 12, fontFamily: 'inherit' };

  chart.setOption({
    animation: false,
    title: panels.map(({ title, back = title }, i) => ({
      text: `${printable(heading(words))} ${run.direction === 'rollback' ? back : title}`,
      left: 0,
      top: gridTop(i) - 32,
      padding: 0,
      textStyle: { color: 'var(--ink)', fontSize: 13, fontWeight: 600, fontFamily: 'inherit' },
    })),
    grid: panels.map((_, i) => ({ left: 84, right: 24, top: gridTop(i), height: panelHeight })),
    xAxis: panels.map((_, i) => ({
      type: 'value',
      gridIndex: i,
      min: 0,
      max: Math.max(span / unit.ms, 1),
      axisLine: { lineStyle: { color: 'var(--rule)' } },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: { ...text, showMaxLabel: false },
      ...(i === panels.length - 1 && {
        name: `${unit.word} since the start of the run`,
        nameLocation: 'middle',
        nameGap: 28,
        nameTextStyle: text,
      }),
    })),
    yAxis: panels.map((_, i) => ({
      type: 'value',
      gridIndex: i,
      min: 0,
      minInterval: 1,
      splitNumber: 3,
      axisLabel: { ...text, formatter: whole },
      splitLine: { lineStyle: { color: 'var(--rule)' } },
    })),
    series: panels.map(({ colour, step, value }, i) => ({
      type: 'line',
      xAxisIndex: i,
      yAxisIndex: i,
      silent: true,
      ...(step && { step }),
      showSymbol: run.points.length <= dotsUpTo,
      symbol: 'circle',
      symbolSize: 5,
      lineStyle: { color: colour, width: 2 },
      itemStyle: { color: colour },
      areaStyle: { color: colour, opacity: 0.12 },
      data: run.points.map((point, n) => [((times[n] ?? start) - start) / unit.ms, value(point) ?? null]),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return new Markup(named(svg, `run-${run.run}`, `Run ${run.run} over time`, description));
}

/** Gives the picture a name and a description; it scales with the page, and its hover styles are of no use here. */
function named(svg: string, id: string, title: string, description: string): string {
  const label = html`<svg class="picture" role="img" aria-labelledby="${id}-title ${id}-text" viewBox="0 0 ${width} ${height}"><title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>`;
  return svg.replace(/^<svg[^>]*>/, () => label.text).replaceAll(/<style[^>]*>[\s\S]*?<\/style>/g, '');
}
