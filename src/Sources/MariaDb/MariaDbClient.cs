using System.Text;
using BackupDr.Contracts;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.MariaDb;

/// <summary>Asks a server through its own client program, which knows every way of signing in; each question is a connection of its own.
/// </summary>
/// <param name="address">The server.</param>
/// <param name="options">How to get in.</param>
sealed class MariaDbClient(MariaDbAddress address, OptionFile options)
{
    const string Separator = "#backupdr-next#";

    /// <summary>The rows of a query; a column that is null is null.</summary>
    /// <exception cref="UnavailableException">The server does not answer.</exception>
    /// <exception cref="DeniedException">It does not let the user in, or do that.</exception>
    /// <exception cref="SourceException">It refused the statement.</exception>
    public async Task<List<string?[]>> Rows(string sql, CancellationToken ct) => (await Results([sql], ct))[0];

    /// <summary>The rows of several queries of one connection.</summary>
    public async Task<List<List<string?[]>>> Results(IReadOnlyList<string> queries, CancellationToken ct)
    {
        var sql = string.Join($";\nselect '{Separator}';\n", queries) + ";\n";
        var output = await Run(MariaDbTools.Client, ["--batch", "--skip-column-names", "--connect-timeout=15", "--skip-reconnect"], sql,
            ct);
        var results = new List<List<string?[]>> { new() };
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line == Separator) results.Add([]);
            else results[^1].Add([.. line.Split('\t').Select(Plain)]);
        }
        return results;
    }

    /// <summary>The only value of a query; "" for null and for nothing.</summary>
    public async Task<string> Text(string sql, CancellationToken ct)
        => await Rows(sql, ct) is [[var value, ..], ..] ? value ?? "" : "";

    // The client writes tabs, line breaks and backslashes with a backslash.
    static string? Plain(string column)
    {
        if (column == "NULL") return null;
        if (!column.Contains('\\', StringComparison.Ordinal)) return column;
        var text = new StringBuilder();
        for (var at = 0; at < column.Length; at++)
        {
            if (column[at] != '\\' || at + 1 == column.Length) { text.Append(column[at]); continue; }
            text.Append(column[++at] switch { 't' => '\t', 'n' => '\n', '0' => '\0', var other => other });
        }
        return text.ToString();
    }

    async Task<string> Run(string program, IReadOnlyList<string> arguments, string input, CancellationToken ct)
    {
        await using var tool = ToolProcess.Start(MariaDbTools.Find(program, address.Programs), [options.Argument, .. arguments],
            pipes: ToolPipes.Input | ToolPipes.Output);
        var reading = new StreamReader(tool.Output, Encoding.UTF8).ReadToEndAsync(ct);
        try
        {
            await tool.Input.WriteAsync(Encoding.UTF8.GetBytes(input), ct);
            tool.Input.Close();
        }
        catch (IOException) { ct.ThrowIfCancellationRequested(); }   // it ended first, and says why
        var output = await reading;
        return await tool.End(ct) == 0 ? output : throw Explain(address.ToString(), tool.Lines);
    }

    /// <summary>A failure in the words of the server's programs, as one of ours.</summary>
    public static BackupDrException Explain(string who, IReadOnlyList<string> lines)
    {
        var said = lines.LastOrDefault(line => line.Contains("ERROR", StringComparison.OrdinalIgnoreCase)) ?? ToolProcess.LastOf(lines);
        bool Says(string words) => said.Contains(words, StringComparison.Ordinal);
        if (Says("1045") || Says("1698") || Says("Access denied for user") && !Says("1044") && !Says("1142") && !Says("1227"))
            return new DeniedException($"The server does not let {who} in: {said}", "Check the user, its password and its host.");
        if (Says("1227") || Says("1142") || Says("1044") || Says("1370"))
            return new DeniedException($"{who} may not do that: {said}",
                "Run 'backupdr mariadb preflight': it shows the statement that grants it.");
        if (Says("2002") || Says("2003") || Says("2005") || Says("2013") || Says("2006") || Says("1040"))
            return new UnavailableException("mariadb.unreachable", $"{who} cannot be reached: {said}",
                "Check that the server runs, and its socket, host and port.");
        return new SourceException("mariadb.refused", $"{who} answered: {said}");
    }
}
