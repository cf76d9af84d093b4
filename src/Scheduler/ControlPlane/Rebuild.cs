using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Secrets;
using BackupDr.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Makes a working control plane on an empty PostgreSQL from an export. The agents know its authority and come back by
/// themselves.</summary>
public static class Rebuild
{
    const int MostListed = 50;

    /// <summary>Runs the command.</summary>
    /// <param name="args">What came after the verb.</param>
    /// <param name="output">For what was done.</param>
    /// <param name="error">For why it was not.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>0 when the control plane can be started; 1 otherwise, with the reason on <paramref name="error"/>.</returns>
    public static async Task<int> Run(IReadOnlyList<string> args, TextWriter output, TextWriter error, CancellationToken ct)
    {
        try
        {
            var arguments = RebuildArguments.Parse(args, Environment.GetEnvironmentVariable);
            if (arguments.IsHelp) await output.WriteLineAsync(RebuildArguments.Help);
            else await Run(arguments, output, ct);
            return 0;
        }
        catch (BackupDrException e)
        {
            await error.WriteLineAsync(e.Hint is null ? e.Message : $"{e.Message}\n{e.Hint}");
        }
        catch (NpgsqlException e)
        {
            await error.WriteLineAsync($"The database cannot be used: {e.InnerException?.Message ?? e.Message}\nNothing of the "
                + "export was kept in it. Check Database:ConnectionString in the settings.");
        }
        return 1;
    }

    static async Task Run(RebuildArguments arguments, TextWriter output, CancellationToken ct)
    {
        var recoveryKey = RecoveryKey.Parse(arguments.RecoveryKey);
        await using var store = StoreFactory.Open(arguments.From, new StoreOptions([.. arguments.Options])
        {
            CaCertificateFile = arguments.CaCertificateFile,
        });
        var box = new ExportBox(recoveryKey);
        var export = new ReadExport(store, box);
        var (installation, entries) = await export.Entries(arguments.Installation, ct);
        if (arguments.IsList)
        {
            await List(export, installation, entries, arguments, output, ct);
            return;
        }
        var chosen = arguments.Entry ?? entries[0];
        if (!entries.Contains(chosen))
            throw new NotFoundException($"The entry {chosen.Term}-{chosen.Seq} in {store.Url}", "--list shows those that there are.");
        var entry = await export.Entry(installation, chosen, arguments.SignedBy, ct);
        await output.WriteLineAsync(Told(entry));
        await Fill(arguments, store, box, entry, entries.Max(one => one.Term), recoveryKey, output, ct);
    }

    static async Task Fill(RebuildArguments arguments, IObjectStore store, ExportBox box, ExportEntry entry, long newest,
        byte[] recoveryKey, TextWriter output, CancellationToken ct)
    {
        var settings = Settings.Read<NodeSettings>(Settings.Load(arguments.SettingsFile));
        var key = Convert.FromBase64String(entry.SealingKey);
        var file = new KeyFile(settings.Secrets.KeyFile, TimeProvider.System);
        // Of two that are being exchanged, the file and the entry may have one in common.
        var former = file.Exists ? await file.Read(ct) : [];
        if (file.Exists && !former.Any(one => key.Chunk(KeyFile.Bytes).Any(one.SequenceEqual)))
            throw KeyFile.Wrong($"The key file {settings.Secrets.KeyFile} is another installation's.",
                "Name a file that does not exist yet in Secrets:KeyFile; nothing was changed.");
        await using var source = DataSource.Open(settings.Database.ConnectionString, settings.Node.NameOrMachine);
        var db = new Postgres(source);
        var fill = new FillDatabase(db, new Migrator(source, TimeProvider.System, NullLogger<Migrator>.Instance));
        await fill.MustBeEmpty(ct);
        // Before the rows: without its key the database could not be used, and the key alone harms nobody.
        if (file.Exists) file.Replace(SealingKeys.Union(key, [.. former.SelectMany(one => one)]));
        else file.Write(key);
        var export = new ReadExport(store, box);
        var term = new BeginTerm(store, box, entry.Installation, newest, arguments.OverriddenBy);
        await using var gateway = new GatewayStores(TimeProvider.System);
        var begun = await fill.Run(entry, new RebuiltAs(SignedHash(entry), recoveryKey), part => export.Part(entry.Installation, part, ct),
            async (tx, secrets) => await term.Run(tx, await new ExportPlaces(db, new LocationSecrets(secrets), gateway,
                settings.ControlPlane, TimeProvider.System).Locations(tx, ct), ct), ct);
        var looks = await db.InTransaction(tx => AdoptionTable.LookThroughAll(tx, TimeProvider.System, "system: after a rebuild", ct), ct);
        var found = await db.First("""
            select (select count(*) from host where retired_at is null) as hosts, (select count(*) from policy where removed_at is null)
                as policies, (select count(*) from recovery_point where gone_at is null) as points
            """, [], row => (Hosts: row.Long("hosts"), Policies: row.Long("policies"), Points: row.Long("points")), ct);
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"""
            Rebuilt: {found.Hosts} hosts, {found.Policies} policies, {found.Points} recovery points.
            {char.ToUpperInvariant(begun.Words[0])}{begun.Words[1..]}.
            The key of the secrets is in {settings.Secrets.KeyFile}.
            Start the node. Agents come back by themselves where they reach it under the address that they know; people sign in with
            their passwords. What was done after {entry.At:yyyy-MM-dd HH:mm:ss} UTC is not known here; {looks} repositories are looked
            through by the agents for snapshots taken since.
            """));
    }

    // Links the next entry to this one, as the node does that wrote it.
    static string SignedHash(ExportEntry entry)
        => HashChain.Hash(CanonicalJson.Write(System.Text.Json.JsonSerializer.Serialize(entry, ExportJson.Default.ExportEntry)));

    static async Task List(ReadExport export, Guid installation, IReadOnlyList<(long Term, long Seq)> entries, RebuildArguments arguments,
        TextWriter output, CancellationToken ct)
    {
        await output.WriteLineAsync($"Installation {installation}");
        foreach (var one in entries.Take(MostListed))
        {
            string line;
            try { line = Told(await export.Entry(installation, one, arguments.SignedBy, ct)); }
            // A list is what tells a damaged entry from a good one: it goes on, and says why.
            catch (ConflictException e) { line = string.Create(CultureInfo.InvariantCulture, $"{one.Term}-{one.Seq}  {e.Message}"); }
            await output.WriteLineAsync(line);
        }
        if (entries.Count > MostListed) await output.WriteLineAsync($"… and {entries.Count - MostListed} older ones.");
    }

    static string Told(ExportEntry entry) => string.Create(CultureInfo.InvariantCulture,
        $"{entry.Term}-{entry.Seq}  {entry.At.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, {entry.Rows} rows, written by version {entry.Version}");
}
