select imago.create_plan('profiles', 'A profile for each user that has none', 'auth', 'users', 'id', 'user', 'users');
