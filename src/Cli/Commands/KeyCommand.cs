using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr key list|add|remove|passwd</c>.</summary>
static class KeyCommand
{
    public static Command Make() => new("key", "Manage the passwords of a repository.") { List(), Add(), Remove(), Passwd() };

    static Command List()
    {
        var command = new Command("list", "List the keys; * is the one that opened the repository.");
        var repository = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            using var opened = await repository.Open(given, ct);
            var keys = await RepositoryKeys.List(opened, ct);
            output.Line($" {"ID",-8}  {"User",-12}  {"Host",-16}  Created (UTC)");
            foreach (var (id, key) in keys)
                output.Line($"{(id == opened.KeyId ? '*' : ' ')}{id.ToString()[..8]}  {key.UserName,-12}  {key.HostName,-16}  "
                    + key.Created.ToDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
            output.Json(json =>
            {
                json.WriteStartArray();
                foreach (var (id, key) in keys)
                {
                    json.WriteStartObject();
                    json.WriteBoolean("current", id == opened.KeyId);
                    json.WriteString("id", id.ToString());
                    json.WriteString("userName", key.UserName);
                    json.WriteString("hostName", key.HostName);
                    json.WriteString("created", Engine.Format.GoTime.Format(key.Created));
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            });
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Add() => WithNewPassword("add", "Add a password.",
        (repository, password, ct) => repository.AddKey(password, ct), "Saved new key as");

    static Command Passwd() => WithNewPassword("passwd", "Replace the password that opens the repository by another one.",
        RepositoryKeys.Replace, "The repository opens with the new password now: key");

    static Command WithNewPassword(string verb, string words, Func<Repository, Secret, CancellationToken, Task<BlobId>> change, string done)
    {
        var file = new Option<string?>("--new-password-file")
        {
            Description = "File with the new password. Without it the password is asked for twice.",
        };
        var command = new Command(verb, words) { file };
        var repository = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            using var opened = await repository.Open(given, ct);
            using var password = RepositoryArguments.NewPassword(given.GetValue(file));
            Tell(output, done, await change(opened, password, ct));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Remove()
    {
        var id = new Argument<string>("ID") { Description = "The beginning of the key's id." };
        var command = new Command("remove", "Remove a password. The one that opens the repository stays.") { id };
        var repository = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            using var opened = await repository.Open(given, ct);
            Tell(output, "Removed key", await RepositoryKeys.Remove(opened, given.GetValue(id)!, ct));
            return ExitCodes.Done;
        });
        return command;
    }

    static void Tell(Output output, string words, BlobId id)
    {
        output.Line($"{words} {id}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("id", id.ToString());
            json.WriteEndObject();
        });
    }
}
