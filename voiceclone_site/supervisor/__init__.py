"""What script/server runs: sandbox, worker and web, each a process group, until it is told to stop.

    __main__.py      the flow: ports, preparation, start, watch, stop
    groups.py        one program and everything it forks: started, stopped, restarted as a whole
    leash.py         ends every group when the supervisor itself is killed
    readiness.py     what /readyz says
    places.py        ports that are free, and one supervisor per data folder
    web.py           the web server and its settings
    management/      `manage.py prepare` before the start, `manage.py work` for the worker

Standard library only, but for web.py and the commands: they run in processes of their own.
"""
