/** What `forecast_migration` answers, and a dry run as `forecast`: what a whole run will write, and what does not fit that. */
import { z } from 'zod';
import { words } from './words.ts';

const number = z.number().nullish();
const amount = number.transform((value) => value ?? 0);

/** error: the governor would hold the run there; warning: would slow it. */
const forecastProblem = z.looseObject({
  severity: z.enum(['error', 'warning']),
  signal: z.string(),
  /** Of what: a slot, hours. */
  name: z.string().nullish(),
  room: number,
  needed: number,
  /** A limit under which there would be no problem, where one helps. */
  max_per_second: number,
  message: z.string(),
  /** In SQL. */
  remedy: z.string().nullish(),
});

const forecastFields = {
  entities: amount,
  is_estimate: z.boolean().nullish(),
  workers: number,
  wal_bytes: amount,
  /** Without images of whole pages. */
  wal_bytes_least: amount,
  journal_bytes: amount,
  /** By which tables grow, with the room of dead rows. */
  table_bytes: amount,
  dead_rows: z.record(z.string(), z.number()).nullish(),
  seconds: amount,
  /** Windows of its hours in which the run works. */
  windows: number,
  ends_at: z.string().nullish(),
  /** Too little was tried of them to say anything. */
  unknown_stages: z.array(z.number()).nullish(),
  problems: z
    .array(forecastProblem)
    .nullish()
    .transform((problems) => problems ?? []),
  /** Settings that are empty, so that what they stand for was not looked at. */
  not_known: z.array(z.string()).nullish(),
};

export const forecast = z.looseObject(forecastFields);

export const forecastAnswer = z.looseObject({
  ...words,
  ...forecastFields,
  plan: z.string(),
  /** That of the dry run that measured; not_needed where nothing can be too small. */
  status: z.string(),
});

export type Forecast = z.output<typeof forecast>;
export type ForecastAnswer = z.output<typeof forecastAnswer>;
