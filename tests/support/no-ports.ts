/** Loaded by `node --import`: from the nth server of the process that wants a port, NO_PORT_FROM, the machine has none left. */
import { Server } from 'node:net';

const from = Number(process.env.NO_PORT_FROM);
const listen = Server.prototype.listen as (this: Server, ...args: unknown[]) => Server;
let servers = 0;

Server.prototype.listen = function (this: Server, ...args: unknown[]) {
  servers += 1;
  if (servers < from) return listen.apply(this, args);
  const error = Object.assign(new Error('listen EADDRINUSE: 127.0.0.1'), { code: 'EADDRINUSE' });
  process.nextTick(() => this.emit('error', error));
  return this;
} as typeof Server.prototype.listen;
