create table imago.claimed_entity (
  plan text not null references imago.plan on delete cascade,
  stage integer not null,
  entity text not null,
  run bigint not null references imago.run on delete cascade,
  lane_pass text not null,
  lane_number integer not null,
  token uuid,
  row_hash text not null,
  claims integer not null default 1,
  expires_at timestamptz not null,
  primary key (plan, stage, entity)
);
comment on table imago.claimed_entity is 'Entities of external stages that somebody has been handed and that are not written yet. Keys and hashes only; a row goes with what is written.';
comment on column imago.claimed_entity.lane_pass is 'With lane_number: the lane that the entity was read from.';
comment on column imago.claimed_entity.token is 'Of the claim that it was handed out by; null: it is to be handed out again.';
comment on column imago.claimed_entity.row_hash is 'Of the row as it was handed out: where that has changed since, what comes back is not written.';
comment on column imago.claimed_entity.claims is 'How often it was handed out.';
comment on column imago.claimed_entity.expires_at is 'From then on it is handed out to anyone who asks.';
create index claimed_entity_token_idx on imago.claimed_entity (token);
