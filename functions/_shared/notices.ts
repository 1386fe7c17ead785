/** Messages to people about runs: what SQL answers of them. */
import { z } from 'zod';

/** One message, as it is sent: names, codes and counts, and a line for people. */
const notice = z.looseObject({
  id: z.number(),
  event: z.string(),
  text: z.string(),
});

/** `take_notices`: what a driver is to send. */
export const noticesAnswer = z.looseObject({ notices: z.array(notice) });

/** `settle_notices`. */
export const settledAnswer = z.looseObject({ settled: z.number() });

/** `notify_migrations`: the ways that are on, and what became of the last messages. */
export const notifyAnswer = z.looseObject({
  ways: z.array(z.string()),
  waiting: z.number(),
  given_up: z.number(),
  sent: z.number(),
  last_sent_at: z.string().nullish(),
  /** Of the last try that was answered: an HTTP status, an SQLSTATE, timeout or error. */
  outcome: z.string().nullish(),
});

export type Notice = z.output<typeof notice>;
