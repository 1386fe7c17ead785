select imago.create_plan('resume_skills', 'Profile picture and skills for all users', 'public', 'users', 'id', 'user', 'users');
