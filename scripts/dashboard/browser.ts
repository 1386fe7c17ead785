/** Opens the page where there is somebody to see it. */
import { spawn } from 'node:child_process';

/** How each platform opens an address. */
const openers: Partial<Record<NodeJS.Platform, readonly [command: string, ...args: string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
  linux: ['xdg-open'],
};

/** What fails is no harm: the address has been said. */
export function openBrowser(url: string): void {
  const { platform, env, stderr } = process;
  const opener = openers[platform];
  const hasScreen = platform !== 'linux' || Boolean(env.DISPLAY ?? env.WAYLAND_DISPLAY);
  if (!opener || !hasScreen || !stderr.isTTY || env.CI || env.SSH_CONNECTION) return;
  const [command, ...args] = opener;
  spawn(command, [...args, url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
