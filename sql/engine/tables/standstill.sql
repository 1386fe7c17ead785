create table imago.standstill (
  run bigint primary key references imago.run on delete cascade,
  mark text not null,
  calls integer not null
);
comment on table imago.standstill is 'Calls in a row that have left a run as it was. Only calls that moved nobody write here.';
comment on column imago.standstill.mark is 'Fingerprint of lanes, failures and checks after the last of these calls.';
