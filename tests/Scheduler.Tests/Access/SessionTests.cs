using System.Net;
using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Access;

public sealed class SessionTests(SchedulerDatabases databases)
{
    const string Password = "correct horse battery";

    static async Task<HttpResponseMessage> SignIn(HttpClient client, string password = Password)
        => await client.PostAsync("/api/v1/session", TestNode.Json(new SignInRequest("ann", password), WireJson.Default.SignInRequest));

    /// <summary>A node with the user ann, whose password is no one-time one any more.</summary>
    async Task<TestNode> NodeWithAnn()
    {
        var node = await TestNode.Start(databases);
        await node.Get<CreateUser>().Handle(TestNode.Admin, new CreateUserRequest("ann", Password), CancellationToken.None);
        await node.Db.Execute("update person set must_change_password = false", [], CancellationToken.None);
        return node;
    }

    [Fact]
    public async Task A_session_cookie_is_unreadable_to_scripts_and_stays_on_the_site()
    {
        await using var node = await NodeWithAnn();
        var client = node.Client();

        var response = await SignIn(client);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var cookie = Assert.Single(response.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=lax", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Convert.ToHexString((await node.Db.Scalar<byte[]>("select token_hash from session", [], default))!), cookie,
            StringComparison.OrdinalIgnoreCase);
        Assert.Equal("ann", (await client.GetFromJsonAsync("/api/v1/me", WireJson.Default.Me))!.Name);
    }

    [Fact]
    public async Task A_change_by_cookie_without_the_guard_header_is_refused()
    {
        await using var node = await NodeWithAnn();
        var client = node.Client();
        await SignIn(client);

        var forged = await client.PostAsync("/api/v1/join-tokens", TestNode.Json(new CreateJoinTokenRequest(),
            WireJson.Default.CreateJoinTokenRequest));
        client.DefaultRequestHeaders.Add(CallerOfRequest.GuardHeader, "1");
        var own = await client.PostAsync("/api/v1/join-tokens", TestNode.Json(new CreateJoinTokenRequest(),
            WireJson.Default.CreateJoinTokenRequest));

        Assert.Contains(CallerOfRequest.GuardHeader, (await forged.Problem()).Title, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Forbidden, forged.StatusCode);
        Assert.Equal(HttpStatusCode.OK, own.StatusCode);
    }

    [Fact]
    public async Task A_session_ends_after_an_hour_of_silence_and_after_half_a_day_in_any_case()
    {
        await using var node = await NodeWithAnn();
        var sessions = node.Get<Sessions>();
        var idle = (await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", Password), default)).Token;
        var busy = (await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", Password), default)).Token;

        for (var hours = 0; hours < 12; hours++)
        {
            await node.PassTime(TimeSpan.FromMinutes(59));
            Assert.NotNull(await sessions.OfSession(busy, "", default));
        }
        await node.PassTime(TimeSpan.FromMinutes(13));

        Assert.Null(await sessions.OfSession(idle, "", default));
        Assert.Null(await sessions.OfSession(busy, "", default));
    }

    [Fact]
    public async Task Signing_out_ends_the_session_on_every_node()
    {
        await using var node = await NodeWithAnn();
        await using var other = await TestNode.Start(databases, shared: node);
        var session = await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", Password), default);
        var caller = await other.Get<Sessions>().OfSession(session.Token, "", default);

        await node.Get<SignOut>().Handle(caller!, default);

        Assert.Null(await other.Get<Sessions>().OfSession(session.Token, "", default));
    }

    [Fact]
    public async Task Ten_wrong_passwords_lock_the_name_for_this_address_until_the_window_has_passed()
    {
        await using var node = await NodeWithAnn();
        var client = node.Client();
        for (var attempt = 0; attempt < Scheduler.Access.SignIn.AttemptsForNameAndAddress; attempt++)
            Assert.Equal("access.wrong_password", (await (await SignIn(client, "wrong password")).Problem()).Code);

        var locked = await SignIn(client);
        await node.PassTime(Scheduler.Access.SignIn.Window);
        var later = await SignIn(client);

        Assert.Equal(HttpStatusCode.TooManyRequests, locked.StatusCode);
        Assert.Equal("access.too_many_attempts", (await locked.Problem()).Code);
        Assert.NotNull(locked.Headers.RetryAfter);
        Assert.Equal(HttpStatusCode.OK, later.StatusCode);
    }

    [Fact]
    public async Task An_unknown_name_is_refused_with_the_same_words_as_a_wrong_password()
    {
        await using var node = await NodeWithAnn();
        var client = node.Client();

        var unknown = await client.PostAsync("/api/v1/session", TestNode.Json(new SignInRequest("nobody", Password),
            WireJson.Default.SignInRequest));
        var wrong = await SignIn(client, "wrong password");

        Assert.Equal((await wrong.Problem()).Title, (await unknown.Problem()).Title);
        Assert.Equal(HttpStatusCode.Unauthorized, unknown.StatusCode);
    }

    [Fact]
    public async Task A_one_time_password_opens_nothing_but_its_own_change()
    {
        await using var node = await TestNode.Start(databases);
        var made = await node.Get<CreateUser>().Handle(TestNode.Admin, new CreateUserRequest("ann"), default);
        var client = node.Client();
        client.DefaultRequestHeaders.Add(CallerOfRequest.GuardHeader, "1");
        var me = await (await SignIn(client, made.OneTimePassword!)).Content.ReadFromJsonAsync(WireJson.Default.Me);

        var before = await client.GetAsync("/api/v1/hosts");
        var change = await client.PostAsync("/api/v1/me/password",
            TestNode.Json(new ChangePasswordRequest(made.OneTimePassword!, Password), WireJson.Default.ChangePasswordRequest));
        var after = await client.GetAsync("/api/v1/hosts");

        Assert.True(me!.MustChangePassword);
        Assert.Equal(HttpStatusCode.Forbidden, before.StatusCode);
        Assert.True(change.IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
    }

    [Fact]
    public async Task A_new_password_ends_the_other_sessions()
    {
        await using var node = await NodeWithAnn();
        var mine = await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", Password), default);
        var other = await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", Password), default);
        var me = await node.Get<Sessions>().OfSession(mine.Token, "", default);

        await node.Get<ChangePassword>().Handle(me!, new ChangePasswordRequest(Password, "another long password"), default);

        Assert.NotNull(await node.Get<Sessions>().OfSession(mine.Token, "", default));
        Assert.Null(await node.Get<Sessions>().OfSession(other.Token, "", default));
    }

    [Theory]
    [InlineData("short")]
    [InlineData(Password)]
    public async Task A_password_that_is_too_short_or_the_old_one_is_refused(string wanted)
    {
        await using var node = await NodeWithAnn();
        var session = await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", Password), default);
        var me = await node.Get<Sessions>().OfSession(session.Token, "", default);

        var e = await Assert.ThrowsAsync<BadInputException>(() => node.Get<ChangePassword>()
            .Handle(me!, new ChangePasswordRequest(Password, wanted), default));

        Assert.Equal("new", e.Field);
    }

    [Fact]
    public async Task Making_a_user_who_exists_changes_nothing_and_shows_no_password()
    {
        await using var node = await NodeWithAnn();

        var again = await node.Get<CreateUser>().Handle(TestNode.Admin, new CreateUserRequest("Ann", "another long password"), default);

        Assert.Null(again.OneTimePassword);
        Assert.Equal("ann", again.Name);
        Assert.Equal("ann", (await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", Password), default)).Me.Name);
    }

    [Fact]
    public async Task The_bootstrap_key_opens_the_API_and_a_new_one_replaces_it()
    {
        await using var node = await TestNode.Start(databases);
        Assert.Equal(HttpStatusCode.OK, (await node.AdminClient().GetAsync("/api/v1/hosts")).StatusCode);
        var other = Path.Combine(node.Folder, "other");
        await File.WriteAllTextAsync(other, "another-bootstrap-key-9876543210");

        await using var next = await TestNode.Start(databases, settings => settings with
        {
            Bootstrap =
            new BootstrapOptions { ApiKeyFile = other }
        }, node);

        Assert.Equal("access.unknown_key", (await (await node.AdminClient().GetAsync("/api/v1/hosts")).Problem()).Code);
        Assert.Equal(HttpStatusCode.OK, (await node.Client("another-bootstrap-key-9876543210").GetAsync("/api/v1/hosts")).StatusCode);
    }

    [Fact]
    public async Task Nobody_is_told_to_sign_in()
    {
        await using var node = await TestNode.Start(databases);

        var response = await node.Client().GetAsync("/api/v1/hosts");

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("access.not_signed_in", (await response.Problem()).Code);
    }
}
