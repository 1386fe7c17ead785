create or replace function imago.expect_throttle(max_per_second integer, ignore text[])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  unknown text;
begin
  if max_per_second < 0 then
    perform imago.raise_error('IM015', 'max_per_second', max_per_second::text, '1 or more; 0 for no limit');
  end if;
  select string_agg(coalesce(i, 'null'), ', ') into unknown
  from unnest(ignore) i where i is null or not exists (select from imago.signal s where s.name = i);
  if unknown is not null then
    perform imago.raise_error('IM015', 'ignore', unknown, (select string_agg(s.name, ', ' order by s.position) from imago.signal s));
  end if;
end
$$;
comment on function imago.expect_throttle(integer, text[]) is 'Refuses a rate below 0 and signals that there are not (IM015).';
