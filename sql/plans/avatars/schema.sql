select imago.create_plan('avatars', 'Default avatars for all users, with their posts and follows', 'public', 'users', 'id', 'user', 'users');
