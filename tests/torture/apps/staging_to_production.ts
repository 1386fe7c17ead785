/** A booking app: images are copied to a new table, statuses become an enum. Both sides are written. */
import { type App, GaveWay, returned } from '../app.ts';
import { type Row, storedRows, unlike } from '../model.ts';

const words = ['scheduled', 'Pending', 'CANCELLED', 'completed', 'no show'];
const labels = ['SCHEDULED', 'PENDING', 'CANCELED', 'COMPLETED'];

/** What a status of before means. */
function meaning(status: unknown): string {
  const label = String(status).toUpperCase().replace('CANCELLED', 'CANCELED');
  return labels.includes(label) ? label : 'SCHEDULED';
}

export const stagingToProduction: App = {
  plan: 'staging_to_production',
  file: 'tests/support/staging_to_production.sql',
  entities: 120,
  walked: ['public."UserImage"', 'public."Booking"'],
  writes: [
    {
      name: 'upload',
      weight: 2,
      async write(tx, model, slice) {
        const n = slice.next();
        const row = await returned(tx`
          insert into public."UserImage" (id, url, "publicId") values (${`late_${n}`}, ${`https://x.test/${n}`}, ${`late/${n}`})
          returning to_jsonb("UserImage") as row`);
        return () => {
          model.put('UserImage', row as Row);
          slice.own('UserImage', String(row?.id));
        };
      },
    },
    {
      name: 'an image is replaced',
      weight: 3,
      async write(tx, model, slice) {
        const id = slice.key('UserImage');
        if (!id) return null;
        const row = await returned(tx`
          update public."UserImage" set url = ${`https://x.test/again/${slice.next()}`} where id = ${id}
          returning to_jsonb("UserImage") as row`);
        return row ? () => model.put('UserImage', row) : null;
      },
    },
    {
      name: 'an image is replaced where it is now',
      weight: 3,
      async write(tx, model, slice) {
        const id = slice.key('UserImage');
        if (!id) return null;
        const url = `https://x.test/new/${slice.next()}`;
        const images = await tx`update public."Image" set url = ${url} where id = ${id} returning id`;
        if (images.length === 0) return null;
        const [old] = await tx`select url from public."UserImage" where id = ${id}`;
        if (old?.url !== url) throw new GaveWay();
        return () => {
          const image = model.rows('UserImage').get(id);
          if (image) image.url = url;
        };
      },
    },
    {
      name: 'an upload is deleted',
      weight: 1,
      async write(tx, model, slice) {
        const id = slice.key('UserImage', (key) => slice.isNew('UserImage', key));
        if (!id) return null;
        const gone = await tx`delete from public."UserImage" where id = ${id} returning id`;
        return gone.length > 0 ? () => model.rows('UserImage').delete(id) : null;
      },
    },
    {
      name: 'booking',
      weight: 2,
      async write(tx, model, slice) {
        const n = slice.next();
        const row = await returned(tx`
          insert into public."Booking" (id, "scheduledFor", status) values (${`late_${n}`}, now(), ${words[n % 5] ?? ''})
          returning to_jsonb("Booking") as row`);
        return () => {
          model.put('Booking', row as Row);
          slice.own('Booking', String(row?.id));
        };
      },
    },
    {
      name: 'status',
      weight: 3,
      async write(tx, model, slice) {
        const id = slice.key('Booking');
        if (!id) return null;
        const row = await returned(tx`
          update public."Booking" set status = ${words[slice.next() % 5] ?? ''} where id = ${id}
          returning to_jsonb("Booking") as row`);
        return row ? () => model.put('Booking', row) : null;
      },
    },
    {
      name: 'new status',
      weight: 3,
      async write(tx, model, slice) {
        const id = slice.key('Booking');
        if (!id) return null;
        const label = labels[slice.next() % 4] ?? '';
        const rows = await tx`
          update public."Booking" set "newStatus" = ${label}::public."BookingStatus"
          where id = ${id} and "newStatus" is not null returning id`;
        if (rows.length === 0) return null;
        const [now] = await tx`select status from public."Booking" where id = ${id}`;
        if (meaning(now?.status) !== label) throw new GaveWay();
        return () => {
          const booking = model.rows('Booking').get(id);
          // A word that means it already stays.
          if (booking && meaning(booking.status) !== label) booking.status = label;
        };
      },
    },
  ],
  async moved(sql, model) {
    const statuses = new Map(
      [...model.rows('Booking')].map(([id, { status }]) => [id, { newStatus: meaning(status) }]),
    );
    return [
      ...unlike('public."Image"', model.rows('UserImage'), await storedRows(sql, 'public."Image"', 'id')),
      ...unlike('public."Booking"', statuses, await storedRows(sql, 'public."Booking"', 'id')),
    ];
  },
  async back(sql) {
    const images = await storedRows(sql, 'public."Image"', 'id');
    const bookings = await storedRows(sql, 'public."Booking"', 'id', 't."newStatus" is not null');
    return [
      ...[...images.keys()].map((id) => `public."Image" ${id} should not be there`),
      ...[...bookings.keys()].map((id) => `public."Booking" ${id} has a newStatus`),
    ];
  },
};
