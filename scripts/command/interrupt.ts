/** Ctrl-C: the first lets the running batches end, the second leaves at once. */

/**
 * A signal within so short a time is the same key press: the terminal sends it to the whole process group, and npm,
 * which is part of the group, passes it on a second time.
 */
const samePressMs = 500;

export interface Interrupt {
  /** Aborted by the first Ctrl-C. */
  signal: AbortSignal;
  /** Stops listening. */
  release(): void;
}

/** Listens for SIGINT, SIGTERM and SIGHUP. */
export function onInterrupt(first: () => void, second: () => void): Interrupt {
  const controller = new AbortController();
  let pressedAt = 0;
  const listener = (): void => {
    const now = performance.now();
    if (!controller.signal.aborted) {
      pressedAt = now;
      controller.abort();
      first();
    } else if (now - pressedAt > samePressMs) {
      second();
      process.exit(130);
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, listener);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of signals) process.off(name, listener);
    },
  };
}
