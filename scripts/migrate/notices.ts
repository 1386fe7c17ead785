/** Sends the messages that SQL has written about runs to a webhook, beside the work and never in its way. */
import type { Notice } from '../../functions/_shared/notices.ts';
import { UsageError } from '../command/usage.ts';
import { isLoopback } from '../connection/loopback.ts';
import type { Context } from './context.ts';

/** How often it is looked whether there are messages. */
const lookMs = 5_000;

/** How long the other side may take for one message. */
const sendMs = 10_000;

/** How long the end of the command waits for what is still to be sent. */
const endMs = 15_000;

/** A code of SQL or PostgREST: the engine in the database knows no messages. */
const unknown: ReadonlySet<string> = new Set(['PGRST202', '42883']);

export interface Telling {
  /** Sends what is left, for a few seconds at most. */
  end(): Promise<void>;
}

/** Refuses an address that a message must not go to. The address is a secret: nothing of it but the host is shown. */
export function expectWebhook(address: string): void {
  const url = URL.parse(address);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (isSafe && url?.hostname) return;
  throw new UsageError(
    'IMAGO_NOTIFY_URL must start with https:// (or http:// for this machine).',
    'It looks like https://hooks.slack.com/services/…; take it away to send no messages.',
  );
}

/** Sends messages until its end. Undefined where no address is set. */
export function startTelling(context: Context, address: string | undefined): Telling | undefined {
  if (address === undefined) return undefined;
  const url = new URL(address);
  const stopped = new AbortController();
  let warned = false;
  let sending: Promise<void> | undefined;

  const warn = (message: string, hint?: string): void => {
    if (!warned) context.terminal.warn([message, hint].filter(Boolean).join(' '));
    warned = true;
  };
  const look = (): Promise<void> => {
    sending ??= sendDue(context, url, stopped.signal, warn).finally(() => {
      sending = undefined;
    });
    return sending;
  };
  const timer = setInterval(() => void look(), lookMs);
  void checkWay(context, stopped.signal, warn);

  return {
    async end() {
      clearInterval(timer);
      const late = setTimeout(() => stopped.abort(), endMs);
      // What is under way was taken before the last word was written.
      await sending;
      await look();
      clearTimeout(late);
    },
  };
}

/** Says so when nothing would ever be sent: messages are written only where somebody has asked for them. */
async function checkWay(
  { caller }: Context,
  signal: AbortSignal,
  warn: (message: string, hint?: string) => void,
): Promise<void> {
  try {
    const { ways } = await caller.call('notify_migrations', {}, signal);
    if (ways.includes('driver')) return;
    const wanted = [...ways, 'driver'].join(',');
    warn(
      'IMAGO_NOTIFY_URL is set, and messages by the command are off.',
      `Turn them on: select notify_migrations('${wanted}');`,
    );
  } catch (error) {
    if (unknown.has((error as { code?: string }).code ?? ''))
      warn('IMAGO_NOTIFY_URL is set, and the engine in the database sends no messages yet.');
  }
}

/** Takes what is due, sends it and says what has arrived; whatever fails comes again. Never throws. */
async function sendDue(
  { caller }: Context,
  url: URL,
  signal: AbortSignal,
  warn: (message: string, hint?: string) => void,
): Promise<void> {
  try {
    const { notices } = await caller.call('take_notices', {}, signal);
    if (notices.length === 0) return;
    const sent: number[] = [];
    const failed: number[] = [];
    let outcome: string | undefined;
    for (const notice of notices) {
      const wrong = await send(notice, url, signal);
      if (wrong === undefined) sent.push(notice.id);
      else failed.push(notice.id);
      outcome = wrong ?? outcome;
    }
    await caller.call('settle_notices', { sent, failed, ...(outcome && { outcome }) }, signal);
    if (outcome) warn(`A message could not be sent to ${url.host} (${outcome}); it is tried again.`);
  } catch {
    // The calls that move rows say what is wrong with the database; messages wait.
  }
}

/** One message; what went wrong with it, in a word, or undefined. */
async function send(notice: Notice, url: URL, signal: AbortSignal): Promise<string | undefined> {
  const body = url.hostname === 'hooks.slack.com' ? { text: notice.text } : notice;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(sendMs)]),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `HTTP ${response.status}`;
  } catch (error) {
    return (error as Error).name === 'TimeoutError' ? 'timeout' : 'network';
  }
}
