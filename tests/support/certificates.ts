/** X.509 certificates, made with nothing but Node: as many CAs, names and dates as a test wants. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';

export interface Certificate {
  /** In PEM. */
  cert: string;
  key: string;
}

interface Wish {
  /** Host names and IPv4 addresses. */
  hosts?: string[];
  /** Days from now; a day ago, and in a year, unless told otherwise. */
  from?: number;
  to?: number;
}

/** A CA of its own. */
export class Authority {
  readonly #name: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  /** Its own certificate. */
  readonly cert: string;

  constructor(name = 'A test') {
    this.#name = name;
    this.cert = certificate({
      subject: name,
      issuer: name,
      publicKey: this.#keys.publicKey,
      privateKey: this.#keys.privateKey,
      isAuthority: true,
      wish: {},
    });
  }

  /** A certificate that it signs. */
  issue(wish: Wish): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = certificate({
      subject: 'A server',
      issuer: this.#name,
      publicKey,
      privateKey: this.#keys.privateKey,
      isAuthority: false,
      wish,
    });
    return { cert, key: pem('PRIVATE KEY', privateKey.export({ format: 'der', type: 'pkcs8' })) };
  }
}

/** A certificate that nobody has signed but its own key. */
export function selfSigned(wish: Wish): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = 'Somebody';
  const cert = certificate({ subject: name, issuer: name, publicKey, privateKey, isAuthority: false, wish });
  return { cert, key: pem('PRIVATE KEY', privateKey.export({ format: 'der', type: 'pkcs8' })) };
}

let serial = 1;

function certificate(made: {
  subject: string;
  issuer: string;
  publicKey: KeyObject;
  privateKey: KeyObject;
  isAuthority: boolean;
  wish: Wish;
}): string {
  const { hosts = [], from = -1, to = 365 } = made.wish;
  serial += 1;
  const extensions = [
    extension('2.5.29.19', sequence(made.isAuthority ? [boolean(true)] : []), true),
    ...(made.isAuthority ? [extension('2.5.29.15', tagged(0x03, Buffer.from([1, 0x06])), true)] : []),
    ...(hosts.length > 0 ? [extension('2.5.29.17', sequence(hosts.map(hostName)), false)] : []),
  ];
  const body = sequence([
    tagged(0xa0, integer(2)),
    integer(serial),
    ecdsaWithSha256,
    name(made.issuer),
    sequence([time(from), time(to)]),
    name(made.subject),
    made.publicKey.export({ format: 'der', type: 'spki' }),
    tagged(0xa3, sequence(extensions)),
  ]);
  const signature = sign('sha256', body, made.privateKey);
  const whole = sequence([body, ecdsaWithSha256, tagged(0x03, Buffer.concat([Buffer.from([0]), signature]))]);
  return pem('CERTIFICATE', whole);
}

// DER: a tag, a length, and what is in it.

function tagged(tag: number, content: Buffer): Buffer {
  const length = content.length;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

function sequence(items: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(items));
}

function integer(value: number): Buffer {
  return tagged(0x02, Buffer.from([value >> 8, value & 255].slice(value < 128 ? 1 : 0)));
}

function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 127) | 128);
    return groups;
  });
  return tagged(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

const ecdsaWithSha256 = sequence([oid('1.2.840.10045.4.3.2')]);

function name(text: string): Buffer {
  const commonName = sequence([oid('2.5.4.3'), tagged(0x0c, Buffer.from(text))]);
  return sequence([tagged(0x31, commonName)]);
}

function time(days: number): Buffer {
  const at = new Date(Date.now() + days * 86_400_000).toISOString();
  return tagged(0x18, Buffer.from(`${at.slice(0, 19).replaceAll(/[-:T]/g, '')}Z`));
}

function extension(id: string, value: Buffer, critical: boolean): Buffer {
  return sequence([oid(id), ...(critical ? [boolean(true)] : []), tagged(0x04, value)]);
}

function hostName(host: string): Buffer {
  if (isIP(host) === 4) return tagged(0x87, Buffer.from(host.split('.').map(Number)));
  return tagged(0x82, Buffer.from(host));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
