/** Before the first row of a run: what it will write, and whether that fits. */
import type { ProgressAnswer } from '../../functions/_shared/answers.ts';
import type { ForecastAnswer } from '../../functions/_shared/forecasting.ts';
import { CallError } from '../call-error.ts';
import { pause } from '../command/retry.ts';
import type { Context } from './context.ts';
import { pastDirect } from './direct.ts';
import type { Ending } from './ending.ts';
import { forecastText, notLookedAt } from './forecast-words.ts';
import { resumeFlags } from './resuming.ts';
import { spelled } from './spelling.ts';

/** States in which no run is under way, so that the next batch begins one. */
const over: ReadonlySet<string> = new Set(['none', 'succeeded', 'cancelled']);

/** It takes more than a rehearsal to prepare this plan. */
const cannotRehearse = 'IM079';

/** Tries of a prepare step whose table is locked, before the forecast is left out. */
const mostBusy = 10;

/** The forecast of a run that is about to begin, told in a line; undefined where none is needed, or none can be had. */
export async function forecastBefore(
  context: Context,
  before: ProgressAnswer,
  workers: number,
): Promise<ForecastAnswer | undefined> {
  const { caller, options, signal, terminal } = context;
  if (
    !over.has(before.state ?? 'none') ||
    (before.remaining === 0 && !(options.cohort && before.outside > 0))
  )
    return undefined;
  const look = () =>
    caller.call(
      'forecast_migration',
      {
        plan: options.plan,
        workers,
        only_if_large: true,
        ...(options.cohort && { cohort: options.cohort }),
      },
      signal,
    );
  let forecast: ForecastAnswer;
  try {
    forecast = await look().catch(async (error: unknown) => {
      if (!(error instanceof CallError) || error.code !== cannotRehearse) throw error;
      await prepare(context);
      return await look();
    });
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    // What stands in the way of the run as well, its first batch says.
    terminal.debug(`No forecast (${error.code}): ${error.message}`);
    return undefined;
  }
  if (forecast.status === 'not_needed') return undefined;
  terminal.info(`Forecast: ${forecastText(forecast)}.`);
  const not = notLookedAt(forecast);
  if (not !== undefined) terminal.info(not);
  for (const { severity, message, remedy } of forecast.problems) {
    if (severity === 'warning' || options.despiteForecast)
      terminal.warn([`${message}.`, remedy].filter(Boolean).join(' '));
  }
  return forecast;
}

/** As the first batches would. */
async function prepare(context: Context): Promise<void> {
  const { caller, options, signal } = context;
  for (let busy = 0; busy < mostBusy && !signal.aborted; ) {
    const step = await pastDirect(context, 'prepare', () =>
      caller.call('prepare_migration', { plan: options.plan }, signal),
    );
    if (!step?.has_more) return;
    if (step.status !== 'busy') continue;
    busy += 1;
    await pause(step.retry_after_ms ?? 500, signal);
  }
}

/** How a run ends that would not fit; undefined for one that may begin. */
export function refusal(context: Context, forecast: ForecastAnswer): Ending | undefined {
  const errors = forecast.problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0 || context.options.despiteForecast) return undefined;
  const command = (...flags: string[]) =>
    spelled(context.program, [...resumeFlags(context.options), ...flags]);
  const rates = errors.flatMap(({ max_per_second: rate }) => (typeof rate === 'number' ? [rate] : []));
  const others = errors.filter(({ max_per_second: rate }) => typeof rate !== 'number');
  return {
    status: 'usage',
    message: 'The run would not fit. Nothing was moved.',
    error: { code: null, message: errors.map(({ message }) => `${message}.`).join(' '), hint: null },
    next: [
      ...others.flatMap(({ remedy }) => remedy ?? []),
      ...(rates.length > 0
        ? [`Slower it fits: ${command('--max-per-second', String(Math.min(...rates)))}`]
        : []),
      `Begin all the same: ${command('--despite-forecast')}`,
    ],
    forecast,
  };
}
