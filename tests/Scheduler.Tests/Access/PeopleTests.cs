using System.Net;
using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Access;

public sealed class PeopleTests(SchedulerDatabases databases)
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly RoleGrant Everything = new("Admin");

    [Fact]
    public async Task The_last_administrator_stays_also_when_two_are_removed_at_once()
    {
        await using var node = await TestNode.Start(databases);
        var (ann, bob) = (await node.Person("ann", Everything), await node.Person("bob", Everything));

        var ends = await Task.WhenAll(new[] { ann, bob }.Select(who => Record.ExceptionAsync(()
            => node.Get<SetUserRoles>().Handle(TestNode.Admin,
            new SetUserRolesRequest([new RoleGrant("viewer")], who.Person!.Value), None)).AsTask()));

        var refused = Assert.IsType<ConflictException>(Assert.Single(ends.OfType<Exception>()));
        Assert.Equal("person.last_admin", refused.Code);
        var left = (await node.Get<ListUsers>().Handle(TestNode.Admin, new ListUsersRequest(), None)).Single(user =>
            user.Roles.Contains(Everything));
        Assert.Equal("person.last_admin", (await Assert.ThrowsAsync<ConflictException>(() => node.Get<DisableUser>().Handle(TestNode.Admin,
            new DisableUserRequest(left.Id), None))).Code);
    }

    [Fact]
    public async Task Who_manages_users_makes_no_administrator_and_takes_none_over()
    {
        await using var node = await TestNode.Start(databases);
        var admin = await node.Person("root", Everything);
        var officer = await node.Person("eve", new RoleGrant("security-admin"));

        await Assert.ThrowsAsync<DeniedException>(() => node.Get<CreateUser>().Handle(officer, new CreateUserRequest("mallory"), None));
        await Assert.ThrowsAsync<DeniedException>(() => node.Get<SetUserRoles>().Handle(officer,
            new SetUserRolesRequest([Everything], officer.Person!.Value), None));
        await Assert.ThrowsAsync<DeniedException>(() => node.Get<ResetPassword>().Handle(officer,
            new ResetPasswordRequest(admin.Person!.Value), None));
        await Assert.ThrowsAsync<DeniedException>(() => node.Get<DisableUser>().Handle(officer,
            new DisableUserRequest(admin.Person!.Value), None));
        await Assert.ThrowsAsync<DeniedException>(() => node.Get<CreateApiKey>().Handle(officer,
            new CreateApiKeyRequest("backdoor", [Everything]), None));
        await node.Get<CreateUser>().Handle(officer, new CreateUserRequest("tom", null, [new RoleGrant("Operator")]), None);
    }

    [Fact]
    public async Task A_disabled_user_is_out_at_once_and_can_be_let_in_again()
    {
        await using var node = await TestNode.Start(databases);
        await node.Person("root", Everything);
        var client = await node.PersonClient("ann", new RoleGrant("viewer"));
        var ann = (await node.Get<ListUsers>().Handle(TestNode.Admin, new ListUsersRequest(), None)).Single(user => user.Name == "ann");

        await node.Get<DisableUser>().Handle(TestNode.Admin, new DisableUserRequest(ann.Id), None);
        var disabled = await client.GetAsync("/api/v1/hosts");
        var again = await Record.ExceptionAsync(() => node.SignedIn("ann"));
        await node.Get<EnableUser>().Handle(TestNode.Admin, new EnableUserRequest(ann.Id), None);

        Assert.Equal(HttpStatusCode.Unauthorized, disabled.StatusCode);
        Assert.IsType<NotSignedInException>(again);
        Assert.Equal("ann", (await node.SignedIn("ann")).Name);
    }

    [Fact]
    public async Task A_link_lets_one_person_choose_a_password_once_and_within_three_days()
    {
        await using var node = await TestNode.Start(databases);
        async Task<string> Invite(string name)
        {
            var made = await node.Get<CreateUser>().Handle(TestNode.Admin, new CreateUserRequest(name, null, [new RoleGrant("viewer")],
                true), None);
            Assert.Null(made.OneTimePassword);
            return Uri.UnescapeDataString(made.Link!.Split('=')[1]);
        }
        var (used, old) = (await Invite("ann"), await Invite("bob"));
        Task<Me> Accept(string token) => node.Get<AcceptInvitation>().Handle(Caller.Anonymous(),
            new AcceptInvitationRequest(token, People.Password), None);

        Assert.Equal("ann", (await Accept(used)).Name);
        Assert.Equal("ann", (await node.SignedIn("ann")).Name);
        Assert.Equal("access.invitation_over", (await Assert.ThrowsAsync<NotSignedInException>(() => Accept(used))).Code);
        await node.PassTime(TimeSpan.FromDays(3));
        Assert.Equal("access.invitation_over", (await Assert.ThrowsAsync<NotSignedInException>(() => Accept(old))).Code);
    }

    [Fact]
    public async Task A_new_password_of_somebody_else_ends_their_sessions_and_links()
    {
        await using var node = await TestNode.Start(databases);
        var ann = await node.Person("ann", new RoleGrant("viewer"));
        var user = await node.Get<ShowUser>().Handle(TestNode.Admin, new ShowUserRequest(ann.Person!.Value), None);
        Assert.Single(user.Sessions);

        var made = await node.Get<ResetPassword>().Handle(TestNode.Admin, new ResetPasswordRequest(user.Id), None);

        Assert.Empty((await node.Get<ShowUser>().Handle(TestNode.Admin, new ShowUserRequest(user.Id), None)).Sessions);
        var opened = await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", made.OneTimePassword!), None);
        Assert.True(opened.Me.MustChangePassword);
    }

    [Fact]
    public async Task Own_sessions_are_listed_and_one_of_them_ended()
    {
        await using var node = await TestNode.Start(databases);
        var here = await node.Person("ann", new RoleGrant("viewer"));
        var there = await node.SignedIn("ann");

        var sessions = await node.Get<ListOwnSessions>().Handle(here, new ListOwnSessionsRequest(), None);
        await node.Get<EndOwnSession>().Handle(here, new EndOwnSessionRequest(sessions.Single(one => !one.IsThis).Id), None);

        Assert.Equal(2, sessions.Count);
        Assert.Single(await node.Get<ListOwnSessions>().Handle(there, new ListOwnSessionsRequest(), None));
        var bob = await node.Person("bob", new RoleGrant("viewer"));
        await Assert.ThrowsAsync<NotFoundException>(() => node.Get<EndOwnSession>().Handle(bob,
            new EndOwnSessionRequest(sessions.Single(one => one.IsThis).Id), None));
    }

    [Fact]
    public async Task A_key_is_shown_once_kept_as_a_hash_noted_when_used_and_ends_by_itself()
    {
        await using var node = await TestNode.Start(databases);
        var key = await node.Key("ci", new RoleGrant("operator"));
        var client = node.Client(key);

        var me = await client.GetFromJsonAsync("/api/v1/me", WireJson.Default.Me);
        var listed = (await node.Get<ListApiKeys>().Handle(TestNode.Admin, new ListApiKeysRequest(), None)).Single(one => one.Name == "ci");

        Assert.Equal(("key:ci", "operator"), (me!.Name, me.Role));
        Assert.NotNull(listed.LastUsedAt);
        Assert.Equal("127.0.0.1", listed.LastUsedFrom);
        Assert.False(await node.Db.Scalar<bool>("select exists (select from api_key k where k::text like '%' || $1 || '%')", [key], None));
        await node.PassTime(TimeSpan.FromDays(90));
        Assert.Equal("access.unknown_key", (await (await client.GetAsync("/api/v1/me")).Problem()).Code);
        Assert.NotEqual(key, await node.Key("ci", new RoleGrant("viewer")));   // its name is free again
    }

    [Fact]
    public async Task A_revoked_key_is_refused_from_that_moment_on()
    {
        await using var node = await TestNode.Start(databases);
        var client = node.Client(await node.Key("ci", new RoleGrant("viewer")));
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/api/v1/hosts")).StatusCode);
        var id = (await node.Get<ListApiKeys>().Handle(TestNode.Admin, new ListApiKeysRequest(), None)).Single(one => one.Name == "ci").Id;
        Assert.Equal("key.name_taken", (await Assert.ThrowsAsync<ConflictException>(() => node.Key("CI", new RoleGrant("viewer")))).Code);

        await node.Get<RevokeApiKey>().Handle(TestNode.Admin, new RevokeApiKeyRequest(id), None);

        Assert.Equal("access.unknown_key", (await (await client.GetAsync("/api/v1/hosts")).Problem()).Code);
    }

    [Theory]
    [InlineData("x", 90, "name")]
    [InlineData("a name", 90, "name")]
    [InlineData("ci", 0, "days")]
    [InlineData("ci", 367, "days")]
    public async Task A_key_that_cannot_be_is_refused_by_its_field(string name, int days, string field)
    {
        await using var node = await TestNode.Start(databases);

        var e = await Assert.ThrowsAsync<BadInputException>(() => node.Get<CreateApiKey>().Handle(TestNode.Admin,
            new CreateApiKeyRequest(name, [new RoleGrant("viewer")], days), None));

        Assert.Equal(field, e.Field);
    }

    [Fact]
    public async Task People_of_the_version_before_stay_administrators_and_that_version_takes_the_others_for_nobody()
    {
        await using var node = await TestNode.Start(databases);
        await node.Db.Execute("insert into person (id, name, password, role, must_change_password) values (gen_random_uuid(), 'old', $1, "
            + "'Admin', false)", [await node.Db.Scalar<string>("select 'pbkdf2-sha512$1$AAAA$AAAA'", [], None)], None);
        await node.Person("new", new RoleGrant("viewer"));

        var old = (await node.Get<ListUsers>().Handle(TestNode.Admin, new ListUsersRequest(), None)).Single(user => user.Name == "old");

        Assert.Equal([Everything], old.Roles);
        Assert.Equal("Anonymous", await node.Db.Scalar<string>("select role from person where name = 'new'", [], None));
    }

    [Fact]
    public async Task A_page_left_open_does_not_keep_a_session_alive()
    {
        await using var node = await TestNode.Start(databases);
        await node.Person("ann", new RoleGrant("viewer"));
        var token = (await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest("ann", People.Password), None)).Token;

        for (var at = 0; at < 5; at++)
        {
            await node.PassTime(TimeSpan.FromMinutes(14));
            await node.Get<Sessions>().Holds(token, None);
        }

        Assert.False(await node.Get<Sessions>().Holds(token, None));
        Assert.Null(await node.Get<Sessions>().OfSession(token, "", None));
    }

    [Fact]
    public async Task Whoever_asks_too_often_is_told_when_to_try_again()
    {
        await using var node = await TestNode.Start(databases);
        var client = node.Client();
        HttpResponseMessage response;
        var tooLong = new string('x', 65);   // no name, so that no password is hashed
        var calls = 0;
        do response = await client.PostAsync("/api/v1/session", TestNode.Json(new SignInRequest(tooLong, "wrong"),
            WireJson.Default.SignInRequest));
        while (response.StatusCode == HttpStatusCode.Unauthorized && ++calls < 2000);

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal("access.too_many_calls", (await response.Problem()).Code);
        Assert.InRange(calls, 60, 600);   // a slow machine may see several minutes begin
        Assert.NotNull(response.Headers.RetryAfter);
    }
}
