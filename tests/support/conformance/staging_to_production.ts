import type { ISql } from 'postgres';
import { expect } from 'vitest';
import type { Fixture } from './fixture.ts';

/** An image and a booking of the sample, by a number. */
const image = (sql: ISql, n: number) => sql`'img' || substr(md5('image ' || ${String(1 + (n % 40))}), 1, 21)`;
const booking = (sql: ISql, n: number) =>
  sql`'bkg' || substr(md5('booking ' || ${String(1 + (n % 40))}), 1, 21)`;

const WORDS = ['scheduled', 'Pending', 'CANCELLED', 'completed', 'no show'];
const LABELS = ['SCHEDULED', 'PENDING', 'CANCELED', 'COMPLETED'];

export default {
  app: 'tests/support/staging_to_production.sql',
  writers: [
    {
      name: 'uploads',
      side: 'old',
      write: (sql, n) => sql`
        insert into public."UserImage" (id, url, "publicId") values (${`late_${n}`}, ${`https://x.test/${n}`}, ${`late/${n}`})`,
    },
    {
      name: 'images replaced',
      side: 'old',
      write: (sql, n) => sql`
        update public."UserImage" set url = ${`https://x.test/again/${n}`} where id = ${image(sql, n)}`,
    },
    {
      name: 'bookings',
      side: 'old',
      write: (sql, n) => sql`
        insert into public."Booking" (id, "scheduledFor", status) values (${`late_${n}`}, now(), ${WORDS[n % 5] ?? ''})`,
    },
    {
      name: 'statuses',
      side: 'old',
      write: (sql, n) =>
        sql`update public."Booking" set status = ${WORDS[n % 5] ?? ''} where id = ${booking(sql, n)}`,
    },
    {
      name: 'images replaced where they are now',
      side: 'new',
      write: (sql, n) =>
        sql`update public."Image" set url = ${`https://x.test/new/${n}`} where id = ${image(sql, n)}`,
    },
    {
      name: 'new statuses',
      side: 'new',
      write: (sql, n) => sql`
        update public."Booking" set "newStatus" = ${LABELS[n % 4] ?? ''}::public."BookingStatus"
        where id = ${booking(sql, n)} and "newStatus" is not null`,
    },
  ],
  differing: `
    select coalesce(u.id, i.id) as entity
    from public."UserImage" u full join public."Image" i on i.id = u.id
    where (u.url, u."publicId", u."uploadedAt") is distinct from (i.url, i."publicId", i."uploadedAt")
    union all
    select b.id from public."Booking" b
    where b."newStatus"::text is distinct from case lower(b.status) when 'pending' then 'PENDING' when 'completed' then 'COMPLETED'
      when 'canceled' then 'CANCELED' when 'cancelled' then 'CANCELED' else 'SCHEDULED' end`,
  async finalized(sql) {
    const [role] =
      await sql`select atttypid::regtype::text as type from pg_attribute where attrelid = 'public."User"'::regclass and attname = 'role'`;
    expect(role?.type).toBe('"UserRole"');
    await expect(sql`select status::public."BookingStatus" from public."Booking"`).resolves.toBeDefined();
  },
} satisfies Fixture;
