# A small image that runs as a user without rights: docker build -t standin .
FROM rust:1-slim-bookworm AS build
WORKDIR /standin
COPY . .
RUN cargo build --profile dist --locked

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /standin/target/dist/standin /usr/local/bin/standin
WORKDIR /work
EXPOSE 7878
HEALTHCHECK --interval=5s --timeout=3s --start-period=2s CMD ["standin", "healthcheck"]
ENTRYPOINT ["standin"]
CMD ["serve", "--host", "0.0.0.0"]
