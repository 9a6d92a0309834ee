# radedit for CPUs, as a user without rights:
#   docker build --build-arg TORCH_INDEX=<index of torch's CPU wheels> --tag radedit .
#   docker run --rm --user "$(id -u)" --volume "$PWD:/runs" radedit stress +scenario=manifestation preset=demo
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml setup.py README.md LICENSE ./
COPY conf conf
COPY radedit radedit
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
# Without it torch comes with GPU libraries, several GB that a CPU has no use for. Its address: PyTorch's installation page.
ARG TORCH_INDEX=""
COPY constraints.txt /tmp/
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt \
        ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} /tmp/wheels/*.whl \
    && useradd --create-home --uid 1000 radedit \
    && install --directory --owner radedit /runs
# Caches of a user whom the image does not know, as --user makes one.
ENV HOME=/tmp
USER 1000
WORKDIR /runs
ENTRYPOINT ["radedit"]
CMD ["--help"]
