using System.CommandLine;
using BackupDr.Engine;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr repo init</c>.</summary>
static class RepoCommand
{
    public static Command Make()
    {
        var init = new Command("init", "Make a repository.");
        var repository = new RepositoryArguments(init);
        init.SetAction(async (given, ct) =>
        {
            NativeLibraries.Check();
            var output = repository.Output(given);
            await using var store = repository.Store(given);
            using var password = repository.Password(given);
            using var made = await Repository.Init(store, password, RepositoryArguments.Options, ct);
            output.Line($"Made repository {made.Id[..10]} at {store.Url}.");
            output.Line("Keep the password: without it nobody can read the repository, ever.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "initialized");
                json.WriteString("id", made.Id);
                json.WriteString("repository", store.Url);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return new Command("repo", "Work on repositories as a whole.") { init };
    }
}
