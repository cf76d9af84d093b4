using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Access;

/// <summary>Persons and keys of a node, as tests need them.</summary>
static class People
{
    public const string Password = "correct horse battery";

    static readonly CancellationToken None = CancellationToken.None;

    /// <summary>A person who has signed in, with these roles.</summary>
    public static async Task<Caller> Person(this TestNode node, string name, params RoleGrant[] roles)
    {
        var made = await node.Get<CreateUser>().Handle(Caller.System("test"), new CreateUserRequest(name, Password, roles), None);
        await node.Db.Execute("update person set must_change_password = false where id = $1", [made.Id], None);
        return await node.SignedIn(name);
    }

    /// <summary>The caller of a new session.</summary>
    public static async Task<Caller> SignedIn(this TestNode node, string name)
        => (await node.Get<Sessions>().OfSession((await node.Get<SignIn>().Handle(Caller.Anonymous(), new SignInRequest(name, Password),
            None))
            .Token, "", None))!;

    /// <summary>A client of a person, with the session's cookie.</summary>
    public static async Task<HttpClient> PersonClient(this TestNode node, string name, params RoleGrant[] roles)
    {
        await node.Person(name, roles);
        var client = node.Client();
        client.DefaultRequestHeaders.Add(CallerOfRequest.GuardHeader, "1");
        (await client.PostAsync("/api/v1/session", TestNode.Json(new SignInRequest(name, Password), WireJson.Default.SignInRequest)))
            .EnsureSuccessStatusCode();
        return client;
    }

    /// <summary>A key with these roles.</summary>
    public static async Task<string> Key(this TestNode node, string name, params RoleGrant[] roles)
        => (await node.Get<CreateApiKey>().Handle(TestNode.Admin, new CreateApiKeyRequest(name, roles), None)).Key;

    /// <summary>The caller that a key stands for.</summary>
    public static async Task<Caller> OfKey(this TestNode node, string name, params RoleGrant[] roles)
        => (await node.Get<Sessions>().OfKey(await node.Key(name, roles), "", None))!;
}
