/** What people read of a forecast. */
import type { Forecast } from '../../functions/_shared/forecasting.ts';
import { bytes, duration } from '../command/figures.ts';
import { lineBreak } from '../command/printable.ts';

/** `about 61.0 GB of WAL and 4.0 GB of journal in about 3 h 2 min`. */
export function forecastText(forecast: Forecast): string {
  const { entities, unknown_stages: unknown, wal_bytes, journal_bytes, table_bytes, seconds } = forecast;
  if (entities === 0) return 'nothing is left to be moved';
  if (wal_bytes === 0) return 'not known: too little was tried';
  const amounts = `about ${bytes(wal_bytes)} of WAL and ${bytes(journal_bytes)} of journal in about ${duration(seconds * 1000)}`;
  const more = [
    table_bytes > 0 && `tables grow by ${bytes(table_bytes)}`,
    unknown?.length && `without stage ${unknown.join(', ')}, of which too little was tried`,
  ];
  return [amounts, ...more.filter(Boolean)].join('; ');
}

/** `error: Nobody reads slot etl, …`, and what to do about it. */
export function problemText({ severity, message, remedy }: Forecast['problems'][number]): string {
  return [`${severity}: ${message}`, remedy && `  ${remedy}`].filter(Boolean).join(lineBreak);
}

/** `disk_mb, wal_mb_per_s`: what was not looked at, as its setting is empty. */
export function notLookedAt({ not_known: settings }: Forecast): string | undefined {
  return settings?.length
    ? `Not compared with the disk: ${settings.join(' and ')} of imago.setting ${settings.length === 1 ? 'is' : 'are'} empty.`
    : undefined;
}
