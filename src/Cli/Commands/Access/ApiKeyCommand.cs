using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli.Commands.Access;

/// <summary><c>backupdr api-key list|add|revoke</c>: keys of programs that use the API. "key" is restic's word for passwords of a
/// repository.</summary>
static class ApiKeyCommand
{
    public static Command Make() => new("api-key", "Manage the API keys of an installation.") { List(), Add(), Revoke() };

    static Command List()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var command = node.On(new Command("list", "List the keys: what each may do, until when, and when it was last used.") { json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var keys = await api.Keys(ct);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var key in keys)
                output.Line($"{key.Id}  {key.Name,-20}  {State(key),-16}  {RoleWords.Of(key.Roles)}  {LastUse(key)}");
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, keys, WireJson.Default.IReadOnlyListApiKey));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Add()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var name = new Argument<string>("NAME") { Description = "What people call it; the audit log says \"key:NAME\"." };
        var roles = RoleWords.Option();
        var days = new Option<int>("--days") { Description = "For how many days, 1 to 366.", DefaultValueFactory = _ => 90 };
        var command = node.On(new Command("add", "Make a key and print it, once.") { name, roles, days, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var made = await api.CreateKey(new CreateApiKeyRequest(given.GetValue(name)!, RoleWords.Read(given.GetValue(roles)!),
                given.GetValue(days)), ct);
            var output = new Output(given.GetValue(json), quiet: false);
            output.Line(made.Key);
            output.Remark($"{made.Id} holds until {made.ExpiresAt.UtcDateTime:yyyy-MM-dd}. It is shown this once.");
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, made, WireJson.Default.ApiKeyCreated));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Revoke()
    {
        var node = new NodeArguments();
        var key = new Argument<string>("KEY") { Description = "Its id or its name." };
        var command = node.On(new Command("revoke", "End a key from this moment on.") { key });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var wanted = given.GetValue(key)!;
            if (!TypedId.TryParse<ApiKeyId>(wanted, out var id))
                id = (await api.Keys(ct)).FirstOrDefault(one => one.RevokedAt is null
                    && string.Equals(one.Name, wanted, StringComparison.OrdinalIgnoreCase))?.Id
                    ?? throw new BadInputException("key", $"There is no key '{wanted}' in use.", "See: backupdr api-key list");
            await api.RevokeKey(id, ct);
            new Output(json: false, quiet: false).Line($"{id} is revoked.");
            return ExitCodes.Done;
        });
        return command;
    }

    static string State(ApiKey key) => key switch
    {
        { RevokedAt: not null } => "revoked",
        { ExpiresAt: { } end } when end <= TimeProvider.System.GetUtcNow() => "ended",
        { ExpiresAt: { } end } => $"until {end.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}",
        _ => "no end",
    };

    static string LastUse(ApiKey key) => key.LastUsedAt is not { } at ? "never used"
        : $"last used {at.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} from {key.LastUsedFrom}";
}

/// <summary>Roles as commands take and print them: "operator", "restorer@host=web-*".</summary>
static class RoleWords
{
    public static Option<string[]> Option() => new("--role")
    {
        Description = "A role, or ROLE@SCOPE: viewer, auditor, operator, restorer, policy-admin, agent-admin, storage-admin, approver, "
            + "security-admin, admin; host=PATTERN, label=KEY=VALUE, policy=NAME, location=NAME. Repeat it for several.",
        Required = true,
    };

    public static IReadOnlyList<RoleGrant> Read(IEnumerable<string> texts)
        => [.. texts.Select(text => text.Split('@', 2) is [var role, var scope] ? new RoleGrant(role, scope) : new RoleGrant(text))];

    public static string Of(IEnumerable<RoleGrant> roles)
        => string.Join(", ", roles.Select(grant => grant.Scope is null ? grant.Role : $"{grant.Role}@{grant.Scope}"));
}
