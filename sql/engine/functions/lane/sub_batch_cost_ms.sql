create or replace function imago.sub_batch_cost_ms()
returns numeric
language sql
immutable
set search_path = ''
return 8;
comment on function imago.sub_batch_cost_ms() is 'What a sub-batch takes at any size, in milliseconds, so that sizes fit the time of short calls. Measured: 7 to 10.';
