create schema if not exists imago_fleet;

comment on schema imago_fleet is 'Imago: one plan over many databases. Members, rollouts and how far each is; docs/fleet.md.';
