from building import cache as cache
