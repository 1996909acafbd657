"""Counts and times Authlib: `python -m bench.peers.authlib_flask [repeat]`."""

import importlib.metadata
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.integrations.sqla_oauth2 import (
    OAuth2AuthorizationCodeMixin,
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_bearer_token_validator,
    create_query_client_func,
    create_revocation_endpoint,
    create_save_token_func,
)
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask
from sqlalchemy import Column, ForeignKey, Integer, create_engine, event, select
from sqlalchemy.orm import Session, declarative_base, relationship, scoped_session, sessionmaker

from bench.peers import harness
from bench.peers.harness import CLIENT_ID, CLIENT_SECRET, CODE_VERIFIER, REDIRECT_URI, Operation, Paths, post

HOW = (
    "the server of its documentation: its SQLAlchemy mixins, tokens and client secrets stored in the clear, "
    "refresh tokens rotate, PKCE, SQLite in a file, client authentication by HTTP Basic"
)

Base: Any = declarative_base()


class User(Base):
    """Somebody who granted something."""

    __tablename__ = "user"
    id = Column(Integer, primary_key=True)

    def get_user_id(self) -> Any:
        """Say who it is."""
        return self.id


class Client(Base, OAuth2ClientMixin):
    """An application."""

    __tablename__ = "oauth2_client"
    id = Column(Integer, primary_key=True)


class Code(Base, OAuth2AuthorizationCodeMixin):
    """An authorization code."""

    __tablename__ = "oauth2_code"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("user.id"))


class Token(Base, OAuth2TokenMixin):
    """An access token and its refresh token."""

    __tablename__ = "oauth2_token"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("user.id"))
    user = relationship("User")


def _main(folder: str) -> None:
    engine = create_engine(f"sqlite:///{folder}/db.sqlite3")
    Base.metadata.create_all(engine)
    session: Any = scoped_session(sessionmaker(engine))

    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            found = session.scalar(select(Code).filter_by(code=code, client_id=client.client_id))
            return found if found and not found.is_expired() else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            session.delete(authorization_code)
            session.commit()

        def authenticate_user(self, authorization_code: Code) -> User | None:
            user: User | None = session.get(User, authorization_code.user_id)
            return user

    class RefreshGrant(grants.RefreshTokenGrant):
        INCLUDE_NEW_REFRESH_TOKEN = True
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

        def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
            token: Token | None = session.scalar(select(Token).filter_by(refresh_token=refresh_token))
            return token if token and not token.refresh_token_revoked_at else None

        def authenticate_user(self, refresh_token: Token) -> User | None:
            user: User | None = session.get(User, refresh_token.user_id)
            return user

        def revoke_old_credential(self, refresh_token: Token) -> None:
            refresh_token.access_token_revoked_at = refresh_token.refresh_token_revoked_at = int(time.time())
            session.add(refresh_token)
            session.commit()

    class Introspection(IntrospectionEndpoint):
        def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
            found: Token | None = session.scalar(select(Token).filter_by(access_token=token_string))
            return found

        def check_permission(self, token: Token, client: Client, request: Any) -> bool:
            return True

        def introspect_token(self, token: Token) -> dict[str, Any]:
            return {
                "active": not token.is_expired() and not token.is_revoked(),
                "client_id": token.client_id,
                "sub": str(token.user_id),
                "scope": token.scope,
                "exp": token.issued_at + token.expires_in,
                "iat": token.issued_at,
            }

    app = Flask(__name__)
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    server = AuthorizationServer(
        app,
        query_client=create_query_client_func(session, Client),
        save_token=create_save_token_func(session, Token),
    )
    server.register_grant(grants.ClientCredentialsGrant)
    server.register_grant(CodeGrant, [CodeChallenge(required=True)])
    server.register_grant(RefreshGrant)
    server.register_endpoint(create_revocation_endpoint(session, Token))
    server.register_endpoint(Introspection)
    require = ResourceProtector()
    require.register_token_validator(create_bearer_token_validator(session, Token)())

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.post("/revoke")
    def revoke() -> Any:
        return server.create_endpoint_response("revocation")

    @app.post("/introspect")
    def introspect() -> Any:
        return server.create_endpoint_response("introspection")

    @app.get("/resource")
    @require("read")
    def resource() -> dict[str, Any]:
        return {"user": current_token.user_id}

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        session.remove()

    client = Client(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, client_id_issued_at=int(time.time()))
    client.set_client_metadata(
        {
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "response_types": ["code"],
            "redirect_uris": [REDIRECT_URI],
            "scope": "read write",
            "token_endpoint_auth_method": "client_secret_basic",
        }
    )
    with Session(engine) as filling:
        filling.add(User(id=1))
        filling.add(client)
        filling.commit()

    def code() -> str:
        value = secrets.token_urlsafe(30)
        with Session(engine) as filling:
            filling.add(
                Code(
                    code=value,
                    client_id=CLIENT_ID,
                    redirect_uri=REDIRECT_URI,
                    scope="read",
                    user_id=1,
                    code_challenge=create_s256_code_challenge(CODE_VERIFIER),
                    code_challenge_method="S256",
                )
            )
            filling.commit()
        return value

    operations = {
        "client_credentials": Operation(
            lambda _: post(app, "/token", {"grant_type": "client_credentials", "scope": "read"})
        ),
        **harness.of_a_grant(app, Paths("/token", "/introspect", "/revoke"), code),
    }

    @contextmanager
    def count() -> Iterator[list[str]]:
        statements: list[str] = []

        def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            statements.append(statement)

        listeners = {
            "before_cursor_execute": executed,
            "begin": lambda _: statements.append("BEGIN"),
            "commit": lambda _: statements.append("COMMIT"),
            "rollback": lambda _: statements.append("ROLLBACK"),
        }
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
        yield statements
        for name, listener in listeners.items():
            event.remove(engine, name, listener)

    versions = {name: importlib.metadata.version(name) for name in ("Authlib", "Flask", "SQLAlchemy")}
    harness.main("Authlib", versions, HOW, operations, count)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as _folder:
        _main(_folder)
