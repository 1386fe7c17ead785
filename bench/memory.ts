/**
 * The peak memory of a Node process. Loaded by `node --import` into a process that does not measure itself, it leaves
 * the number in the file that BENCH_MEMORY_FILE names.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Bytes of this process at its peak. */
export function peakMemory(): number {
  // resourceUsage() of a child starts at what its parent had; the kernel's own mark starts afresh.
  const kilobytes =
    process.platform === 'linux'
      ? /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
      : undefined;
  return Number(kilobytes ?? process.resourceUsage().maxRSS) * 1024;
}

const file = process.env.BENCH_MEMORY_FILE;
if (file) process.once('exit', () => writeFileSync(file, String(peakMemory())));
