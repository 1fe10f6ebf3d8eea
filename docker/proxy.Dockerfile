# The TLS proxy without root. Its program comes with the right to ports below 1024, which it does not need here, and
# without which a container that has dropped all rights would refuse to start it.
FROM caddy:2.10.2-alpine
RUN setcap -r /usr/bin/caddy \
 && install -d -m 0700 -o 10001 -g 10001 /data /config
COPY --chmod=0444 docker/Caddyfile /etc/caddy/Caddyfile
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=5s CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8081/"]
