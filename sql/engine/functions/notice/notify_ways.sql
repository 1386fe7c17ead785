create or replace function imago.notify_ways()
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (select string_to_array(s.value, ',') from imago.setting s where s.name = 'notify');
end
$$;
comment on function imago.notify_ways() is 'How people are told of what happens to runs; none where nobody has asked for it.';
