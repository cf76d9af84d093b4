namespace BackupDr.Scheduler.Repositories;

/// <summary>Text as one word of a POSIX shell.</summary>
static class ShellWord
{
    /// <summary>As it is where it needs no quotes, else in single quotes.</summary>
    public static string Of(string text) => text.Length > 0 && text.All(letter => char.IsAsciiLetterOrDigit(letter)
        || letter is '/' or '.' or '_' or '-' or ':' or '@' or '=') ? text
        : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
