# The portal, all programs in one image: `python -m voiceclone_site.supervisor web|worker|worker_slow`, `python manage.py prepare`.
FROM python:3.13-slim

# espeak-ng, which the sandbox loads, is GPL-3.0: an image that is passed on goes without it, and without the sandbox.
WORKDIR /srv/voiceclone
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt && pip uninstall --yes espeakng-loader

COPY manage.py pyproject.toml ./
COPY voiceclone_site voiceclone_site
COPY voices voices
COPY synthesis synthesis
COPY templates templates

RUN useradd --system --uid 10001 voiceclone && install --directory --owner voiceclone --mode 0700 /data
USER voiceclone
ENV DATA_DIR=/data HOST=0.0.0.0 PORT=8000 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "voiceclone_site.supervisor", "web"]
