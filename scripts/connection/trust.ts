/** Whose certificates are believed. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { UsageError } from '../command/usage.ts';

/** The certificates that a server's own has to come from, as PEM. */
export function trustedCertificates({ host, roots }: { host: string; roots: string | undefined }): string[] {
  if (roots !== undefined && roots !== 'system') return certificatesIn(readFileSync(roots, 'utf8'));
  const ofSupabase = roots === undefined && isSupabaseHost(host) ? supabaseCertificates() : [];
  return [...systemCertificates(), ...ofSupabase];
}

/** Throws a UsageError unless the file holds certificates. */
export function expectCertificates(file: string, source: string): void {
  const remedy =
    "It is a file of certificates in PEM (-----BEGIN CERTIFICATE-----). Supabase's: dashboard, Database, Settings, SSL Configuration.";
  let certificates: string[];
  try {
    certificates = certificatesIn(readFileSync(file, 'utf8'));
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (error) {
    const { code = 'no certificate' } = error as NodeJS.ErrnoException;
    throw new UsageError(`${source} names ${file}, which cannot be read (${code}).`, remedy);
  }
  if (certificates.length === 0)
    throw new UsageError(`${source} names ${file}, which holds no certificate.`, remedy);
}

/** Where Supabase's own CA counts: it is no public one, so nowhere else. */
export function isSupabaseHost(host: string): boolean {
  return /\.supabase\.(co|com|in)$/.test(host);
}

/** Those that Supabase gives out for download, and its CLI carries: see the head of the file. */
export function supabaseCertificates(): string[] {
  return certificatesIn(readFileSync(new URL('./supabase-ca.crt', import.meta.url), 'utf8'));
}

function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** Node's list, NODE_EXTRA_CA_CERTS, and, where this Node can read it, that of the operating system. */
function systemCertificates(): string[] {
  if (typeof tls.getCACertificates === 'function') {
    return [...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])];
  }
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  return [...tls.rootCertificates, ...(extra ? certificatesIn(readFileSync(extra, 'utf8')) : [])];
}
