"""What the race program tells pynamodb (`PYNAMODB_CONFIG`).

The app answers one request at a time, and pynamodb's ten connections are plenty for it. Racing
threads would open and drop connections all the time, and lose their simultaneity by it.
"""

max_pool_connections = 32
