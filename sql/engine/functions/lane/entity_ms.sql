create or replace function imago.entity_ms(took interval, entities bigint, out ms numeric)
language plpgsql
immutable
set search_path = ''
as $$
declare
  took_ms constant numeric := 1000 * extract(epoch from took);
begin
  ms := greatest(took_ms - imago.sub_batch_cost_ms(), took_ms / 2) / entities;
end
$$;
comment on function imago.entity_ms(interval, bigint, out numeric) is 'What each further entity of a sub-batch takes, in milliseconds.';
