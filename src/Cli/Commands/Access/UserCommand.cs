using System.CommandLine;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli.Commands.Access;

/// <summary><c>backupdr user list|add|roles|disable|enable|reset</c>.</summary>
static class UserCommand
{
    public static Command Make() => new("user", "Manage who signs in to an installation, and what they may do.")
    {
        List(), Add(), SetRoles(), Switch("disable", "Sign a user out everywhere, and let it in no more.", (api, id, ct)
            => api.DisableUser(id, ct)),
        Switch("enable", "Let a user in again.", (api, id, ct) => api.EnableUser(id, ct)), Reset(),
    };

    static Command List()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var command = node.On(new Command("list", "List the users.") { json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var users = await api.Users(ct);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var user in users)
                output.Line($"{user.Id}  {user.Name,-20}  {(user.DisabledAt is null ? "" : "disabled"),-8}  {RoleWords.Of(user.Roles)}");
            output.Json(writer => JsonSerializer.Serialize(writer, users, WireJson.Default.IReadOnlyListUser));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Add()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var name = new Argument<string>("NAME") { Description = "The name to sign in with." };
        var roles = RoleWords.Option();
        var invite = new Option<bool>("--invite")
        {
            Description = "Print a link that holds for three days, in place of a one-time "
            + "password."
        };
        var command = node.On(new Command("add", "Make a user.") { name, roles, invite, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var made = await api.CreateUser(new CreateUserRequest(given.GetValue(name)!, null, RoleWords.Read(given.GetValue(roles)!),
                given.GetValue(invite)), ct);
            if (made is { OneTimePassword: null, Link: null })
                throw new BadInputException("name", $"There is a user named '{made.Name}'.", "Give it roles with: backupdr user roles");
            Tell(new Output(given.GetValue(json), quiet: false), made);
            return ExitCodes.Done;
        });
        return command;
    }

    static Command SetRoles()
    {
        var node = new NodeArguments();
        var name = new Argument<string>("NAME") { Description = "The user." };
        var roles = RoleWords.Option();
        var command = node.On(new Command("roles", "Give a user these roles and no others.") { name, roles });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var user = await api.SetRoles(new SetUserRolesRequest(RoleWords.Read(given.GetValue(roles)!),
                await Find(api, given.GetValue(name)!, ct)), ct);
            new Output(json: false, quiet: false).Line($"{user.Name}: {RoleWords.Of(user.Roles)}");
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Reset()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var name = new Argument<string>("NAME") { Description = "The user." };
        var invite = new Option<bool>("--invite") { Description = "Print a link in place of a one-time password." };
        var command = node.On(new Command("reset", "Give a user a new one-time password, and sign it out everywhere.") { name, invite,
            json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            Tell(new Output(given.GetValue(json), quiet: false), await api.ResetPassword(new ResetPasswordRequest(
                await Find(api, given.GetValue(name)!, ct), given.GetValue(invite)), ct));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Switch(string verb, string words, Func<ApiClient, UserId, CancellationToken, Task> act)
    {
        var node = new NodeArguments();
        var name = new Argument<string>("NAME") { Description = "The user." };
        var command = node.On(new Command(verb, words) { name });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            await act(api, await Find(api, given.GetValue(name)!, ct), ct);
            new Output(json: false, quiet: false).Line($"{given.GetValue(name)} is {verb}d.");
            return ExitCodes.Done;
        });
        return command;
    }

    static async Task<UserId> Find(ApiClient api, string name, CancellationToken ct)
        => TypedId.TryParse<UserId>(name, out var id) ? id
            : (await api.Users(ct)).FirstOrDefault(user => string.Equals(user.Name, name, StringComparison.OrdinalIgnoreCase))?.Id
                ?? throw new BadInputException("name", $"There is no user named '{name}'.", "See: backupdr user list");

    static void Tell(Output output, UserCreated made)
    {
        output.Line(made.Link ?? made.OneTimePassword ?? "");
        output.Remark(made.Link is null ? "The one-time password is shown this once."
            : "Put the console's address in front of it. The link is shown this once, and works once.");
        output.Json(writer => JsonSerializer.Serialize(writer, made, WireJson.Default.UserCreated));
    }
}
