/**
 * What Supabase Realtime sends of a plan, where a project has it and somebody has asked for that. It comes on top of looking again
 * and again: whatever fails here fails silently, and the page looks more often.
 */
import { z } from 'zod';
import { type FiguresMessage, figuresMessage } from '../../../functions/_shared/answers.ts';
import { accessToken, type Session, signedIn } from './signing.ts';

/** Told of each message: figures of a run, or that something else has happened. */
export interface Ears {
  figures: (seen: FiguresMessage) => void;
  event: () => void;
}

/** Phoenix, on which Realtime stands, hangs up on who is silent for a minute. */
const heartbeatMs = 25_000;
const firstPauseMs = 10_000;
const longestPauseMs = 5 * 60_000;

const frame = z.object({
  topic: z.string(),
  event: z.string(),
  ref: z.string().nullish(),
  payload: z.looseObject({
    status: z.string().optional(),
    event: z.string().optional(),
    payload: z.unknown(),
  }),
});

/** A connection that listens to one plan as one user. */
interface Line {
  plan: string;
  user: string;
  hangUp: () => void;
}

let line: Line | undefined;
let pauseMs = firstPauseMs;
let notBefore = 0;

/** Listens to this plan from now on, and to no other; undefined: to none. Asked again and again, it does what is missing. */
export function hear(plan: string | undefined, ears: Ears): void {
  const session = signedIn.value;
  if (line && (line.plan !== plan || line.user !== session?.email)) {
    line.hangUp();
    line = undefined;
  }
  if (line || plan === undefined || !session || Date.now() < notBefore) return;
  const opened = open(session, plan, ears, (wasHeard) => {
    if (line !== opened) return;
    line = undefined;
    pauseMs = wasHeard ? firstPauseMs : Math.min(longestPauseMs, 2 * pauseMs);
    notBefore = Date.now() + pauseMs;
  });
  line = opened;
}

function read(data: unknown): z.output<typeof frame> | undefined {
  try {
    return frame.parse(JSON.parse(String(data)));
  } catch {
    return undefined;
  }
}

function open(
  { url, key, email }: Session,
  plan: string,
  ears: Ears,
  ended: (wasHeard: boolean) => void,
): Line {
  const topic = `realtime:imago:${plan}`;
  const socket = new WebSocket(
    `${url.replace(/^http/, 'ws')}/realtime/v1/websocket?${new URLSearchParams({ apikey: key, vsn: '1.0.0' })}`,
  );
  const joining = '1';
  let ref = 1;
  let token = '';
  let isHeard = false;
  let isAlive = true;
  const send = (to: string, event: string, payload: object): void => {
    ref += 1;
    socket.send(JSON.stringify({ topic: to, event, payload, ref: String(ref), join_ref: joining }));
  };

  socket.onopen = async () => {
    token = await accessToken();
    const config = { private: true, broadcast: { ack: false, self: false }, presence: { enabled: false } };
    const payload = { config, access_token: token };
    socket.send(JSON.stringify({ topic, event: 'phx_join', payload, ref: joining, join_ref: joining }));
  };
  socket.onmessage = ({ data }) => {
    isAlive = true;
    const sent = read(data);
    if (sent?.topic !== topic) return;
    const { event, ref: answered, payload } = sent;
    if (event === 'phx_reply' && answered === joining) {
      isHeard = payload.status === 'ok';
      // Who may not listen is told so, and looks instead.
      if (!isHeard) socket.close();
    } else if (event === 'phx_error' || event === 'phx_close') {
      socket.close();
    } else if (event === 'broadcast') {
      const seen = payload.event === 'figures' ? figuresMessage.safeParse(payload.payload) : undefined;
      if (seen?.success) ears.figures(seen.data);
      else ears.event();
    }
  };
  const beating = setInterval(async () => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!isAlive) return socket.close();
    isAlive = false;
    send('phoenix', 'heartbeat', {});
    const next = await accessToken();
    if (next === token || !isHeard) return;
    token = next;
    send(topic, 'access_token', { access_token: token });
  }, heartbeatMs);
  socket.onclose = () => {
    clearInterval(beating);
    ended(isHeard);
  };
  return { plan, user: email, hangUp: () => socket.close() };
}
