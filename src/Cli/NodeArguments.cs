using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli;

/// <summary>How a command reaches a node: address and key, each by option or environment.</summary>
sealed class NodeArguments
{
    const string UrlVariable = "BACKUPDR_URL", KeyVariable = "BACKUPDR_API_KEY_FILE";

    readonly Option<string?> _url = new("--url") { Description = $"Address of the console; else {UrlVariable}." };
    readonly Option<string?> _key = new("--api-key-file") { Description = $"File that holds an API key; else {KeyVariable}." };

    /// <summary>Gives a command the options.</summary>
    public Command On(Command command)
    {
        command.Add(_url);
        command.Add(_key);
        return command;
    }

    /// <summary>A client of the node that is named.</summary>
    /// <exception cref="BadInputException">None is, or the key cannot be read.</exception>
    public ApiClient Open(ParseResult given)
    {
        var url = Address(Given(given, _url, UrlVariable, "url", "For example --url https://backup.example.org"));
        using var key = Key(Given(given, _key, KeyVariable, "api-key-file", "Name a file that holds an API key and nothing else."));
        return new ApiClient(url, key);
    }

    static string Given(ParseResult given, Option<string?> option, string variable, string field, string hint)
        => (given.GetValue(option) ?? Environment.GetEnvironmentVariable(variable)) is { Length: > 0 } text ? text
            : throw new BadInputException(field, $"Neither {option.Name} nor {variable} is given.", hint);

    /// <summary>Reads an address.</summary>
    public static Uri Address(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri
        : throw new BadInputException("url", $"'{text}' is no address of a console.", "For example https://backup.example.org");

    /// <summary>Reads a key.</summary>
    public static Secret Key(string file)
    {
        try { return Secret.FromText(File.ReadAllText(file).Trim()); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("api-key-file", $"The API key cannot be read from {file}: {e.Message}",
                "Name a file that holds an API key and nothing else.");
        }
    }
}
