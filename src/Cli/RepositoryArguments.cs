using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Engine;
using BackupDr.Engine.Replicas;
using BackupDr.Storage;
using BackupDr.Storage.Layers;

namespace BackupDr.Cli;

/// <summary>The options that every repository command has, and how they open one.</summary>
sealed class RepositoryArguments
{
    static readonly TimeSpan StorePatience = new RetryOptions().Budget;
    static readonly TimeSpan StrangerPatience = TimeSpan.FromSeconds(30);   // a person may wait, and look for a slip in the address
    static readonly TimeSpan PatienceWithOthersThere = TimeSpan.FromSeconds(15);

    readonly ReplicaUse? _use;
    BandwidthLimits? _limits;

    readonly Option<string?> _repository = new("--repo", "-r")
    {
        Description = "The repository, as restic writes it: /path, local:/path, s3:https://host/bucket/prefix or "
            + "azure:container:/prefix. Else BACKUPDR_REPOSITORY, RESTIC_REPOSITORY.",
    };
    readonly Option<string?> _passwordFile = new("--password-file", "-p")
    {
        Description = "File with the password. Else BACKUPDR_PASSWORD_FILE, BACKUPDR_PASSWORD, RESTIC_PASSWORD_FILE, RESTIC_PASSWORD.",
    };
    readonly Option<string[]> _options = new("--option", "-o")
    {
        Description = "NAME=VALUE for the store, for example s3.region=eu-central-1; may be given several times.",
        Arity = ArgumentArity.OneOrMore,
    };
    readonly Option<string?> _authorities = new("--cacert")
    {
        Description = "PEM file with the authorities to trust beside the system's, for a store with a certificate of your own.",
    };
    readonly Option<int?> _limitUp = new("--limit-upload") { Description = "Most KiB a second that go to stores over a network; from 16." };
    readonly Option<int?> _limitDown = new("--limit-download")
    {
        Description = "Most KiB a second that come from stores over a network; from 16.",
    };
    readonly Option<bool> _traffic = new("--store-stats")
    {
        Description = "At the end, on stderr: how often stores were asked what, how much passed, and what failed.",
    };
    readonly Option<string[]> _replicas = new("--replica")
    {
        Description = "A further place of the repository, to read what the first cannot give and to put right what is damaged there; "
            + "may be given several times. 'backupdr replicate' makes one.",
        Arity = ArgumentArity.OneOrMore,
    };
    readonly Option<bool> _json = new("--json") { Description = "Results and errors as JSON, without progress." };
    readonly Option<bool> _quiet = new("--quiet", "-q") { Description = "No progress and no remarks." };

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="replicas">What it does with further places; null where it works on one only.</param>
    public RepositoryArguments(Command command, ReplicaUse? replicas = null)
    {
        _use = replicas;
        if (replicas is not null) command.Options.Add(_replicas);
        command.Options.Add(_repository);
        command.Options.Add(_passwordFile);
        command.Options.Add(_options);
        command.Options.Add(_authorities);
        command.Options.Add(_limitUp);
        command.Options.Add(_limitDown);
        command.Options.Add(_traffic);
        command.Options.Add(_json);
        command.Options.Add(_quiet);
    }

    /// <summary>Where the words go.</summary>
    public Output Output(ParseResult given) => new(given.GetValue(_json), given.GetValue(_quiet));

    /// <summary>The repository's address.</summary>
    public string Url(ParseResult given) => given.GetValue(_repository) ?? Setting("REPOSITORY")
        ?? throw new BadInputException("--repo", "No repository was given.", "Write --repo PATH, or set BACKUPDR_REPOSITORY.");

    /// <summary>The store below the repository.</summary>
    public IObjectStore Store(ParseResult given) => Store(given, Url(given), StorePatience);

    /// <summary>The store at another address, with the same options.</summary>
    public IObjectStore Store(ParseResult given, string url) => Store(given, url, StorePatience);

    IObjectStore Store(ParseResult given, string url, TimeSpan patience)
    {
        var remarks = new OutageRemarks(Output(given), TimeProvider.System);
        var counters = new StoreCounters();
        var retry = new RetryOptions
        {
            Budget = patience,
            FirstContact = new FirstContact(patience < StrangerPatience ? patience : StrangerPatience),
            Repeating = again =>
            {
                counters.Retried();
                remarks.Tell(again);
            },
        };
        var options = new StoreOptions(given.GetValue(_options) ?? [])
        {
            CaCertificateFile = given.GetValue(_authorities),
            Bandwidth = Limits(given),
            Retry = retry,
        };
        var store = StoreFactory.Open(url, options);
        // A further place may be of another kind. The repository itself must not lie unlocked where locks were asked for.
        if (options.Text("s3.retention-days") is not null && store.Locks?.Rule is null && url == Url(given))
            throw new BadInputException("--option", $"s3.retention-days has no meaning for {url}.",
                "Leave it out, or use a bucket with object lock.");
        if (given.GetValue(_traffic)) ToldTraffic.Add(store.Url, counters, Output(given));
        return new RetryingStore(new MeasuredStore(store, counters, new RequestGate(), TimeProvider.System), retry, TimeProvider.System);
    }

    // Of one command, whatever it opens.
    BandwidthLimits? Limits(ParseResult given)
    {
        if (_limits is not null || given.GetValue(_limitUp) is null && given.GetValue(_limitDown) is null) return _limits;
        return _limits = new BandwidthLimits(Limit(given, _limitUp), Limit(given, _limitDown));
    }

    static Bandwidth? Limit(ParseResult given, Option<int?> option)
    {
        if (given.GetValue(option) is not { } kibibytes) return null;
        return kibibytes * 1024L >= BandwidthSchedule.SmallestRate
            ? new Bandwidth(BandwidthSchedule.Always(kibibytes * 1024L), TimeProvider.System)
            : throw new BadInputException(option.Name, $"{option.Name} {kibibytes} is too little.",
                "Give 16 KiB a second at least, or leave it out.");
    }

    /// <summary>Opens the repository, with the further places that were named.</summary>
    public async Task<Repository> Open(ParseResult given, CancellationToken ct)
    {
        NativeLibraries.Check();
        var store = await Places(given, ct);
        using var password = Password(given);
        return await Repository.Open(store, password, Telling(Output(given)), ct);
    }

    async Task<IObjectStore> Places(ParseResult given, CancellationToken ct)
    {
        if (_use is not { } use || given.GetValue(_replicas) is not { Length: > 0 } others) return Store(given);
        string[] urls = [Url(given), .. others];
        var stores = new List<IObjectStore>();
        foreach (var url in urls) stores.Add(Store(given, url, url == urls[^1] ? StorePatience : PatienceWithOthersThere));
        return await ReplicatedStore.Open(stores, use, TimeProvider.System, ct);
    }

    /// <summary>Says what the further places had to answer for.</summary>
    public void TellReplicas(ParseResult given, Repository repository)
    {
        if (repository.Store is not ReplicatedStore places) return;
        var output = Output(given);
        foreach (var (place, problem) in places.Absent) output.Remark($"{place} was not used: {problem}");
        foreach (var one in places.Healed) output.Remark($"{one.Name} came from {one.From}; in {one.Place}: {one.Problem}");
    }

    /// <summary>Hands out what opens the repository, to somebody who may have to mend it before it opens.</summary>
    public async Task<T> OpenDamaged<T>(ParseResult given, Func<IObjectStore, Secret, RepositoryOptions, Task<T>> work)
    {
        NativeLibraries.Check();
        await using var store = Store(given);
        using var password = Password(given);
        return await work(store, password, Telling(Output(given)));
    }

    /// <summary>Opens a second repository, that snapshots come from.</summary>
    /// <exception cref="BadInputException">Its address or password is not given.</exception>
    public async Task<Repository> OpenOther(ParseResult given, string? url, string? passwordFile, CancellationToken ct)
    {
        url ??= Setting("FROM_REPOSITORY") ?? throw new BadInputException("--from-repo", "No repository to copy from was given.",
            "Write --from-repo PATH, or set BACKUPDR_FROM_REPOSITORY.");
        const string option = "--from-password-file";
        passwordFile ??= Setting("FROM_PASSWORD_FILE");
        using var password = passwordFile is not null ? FromFile(passwordFile, option)
            : Setting("FROM_PASSWORD") is { } text ? Secret.FromText(text)
            : throw new BadInputException(option, "No password of the repository to copy from was given.",
                "Write --from-password-file FILE, or set BACKUPDR_FROM_PASSWORD_FILE.");
        return await Repository.Open(Store(given, url), password, Telling(Output(given)), ct);
    }

    /// <summary>How a repository is worked with; remarks go where this command's words go.</summary>
    public RepositoryOptions Telling(ParseResult given) => Telling(Output(given));

    static RepositoryOptions Telling(Output output) => Options with { LockRemoved = removed => output.Remark(removed.ToString()) };

    public static RepositoryOptions Options => new() { ProgramVersion = $"backupdr {CommandLine.Version}", CacheFolder = CacheFolder };

    /// <summary>Where indexes are kept between commands: BACKUPDR_CACHE_DIR, else the XDG cache folder; null without a home.</summary>
    public static FilePath? CacheFolder
    {
        get
        {
            string? Named(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
            var folder = Named("BACKUPDR_CACHE_DIR") ?? (Named("XDG_CACHE_HOME") is { } xdg ? Path.Combine(xdg, "backupdr")
                : Named("HOME") is { } home ? Path.Combine(home, ".cache", "backupdr") : null);
            return folder is null ? null : FilePath.FromText(Path.GetFullPath(folder));
        }
    }

    /// <summary>The password, from the first place that has one.</summary>
    public Secret Password(ParseResult given)
    {
        if (given.GetValue(_passwordFile) is { } file) return FromFile(file);
        foreach (var prefix in (string[])["BACKUPDR_", "RESTIC_"])
        {
            if (Environment.GetEnvironmentVariable(prefix + "PASSWORD_FILE") is { Length: > 0 } named) return FromFile(named);
            if (Environment.GetEnvironmentVariable(prefix + "PASSWORD") is { Length: > 0 } text) return Secret.FromText(text);
        }
        if (CanAsk) return Ask("Password of the repository: ");
        throw new BadInputException("--password-file", "No password was given.",
            "Write --password-file FILE, or set BACKUPDR_PASSWORD_FILE or BACKUPDR_PASSWORD.");
    }

    /// <summary>A password that is to become valid: from a file, or typed twice.</summary>
    /// <exception cref="BadInputException">There is none, or the two differ.</exception>
    public static Secret NewPassword(string? file)
    {
        if (file is not null) return FromFile(file, "--new-password-file");
        if (!CanAsk)
            throw new BadInputException("--new-password-file", "No new password was given.", "Write --new-password-file FILE.");
        var first = Ask("New password: ");
        using var second = Ask("Once again: ");
        if (first.Bytes.SequenceEqual(second.Bytes)) return first;
        first.Dispose();
        throw new BadInputException("password", "The two passwords differ.", "Type the same one twice.");
    }

    static bool CanAsk => !Console.IsInputRedirected && !Console.IsErrorRedirected;

    /// <summary>A password that is the content of a file.</summary>
    public static Secret FromFile(string path, string option = "--password-file")
    {
        string text;
        try { text = File.ReadAllText(path).Trim(); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new BadInputException(option, $"The password file cannot be read: {e.Message}",
                "Check its path and its rights.");
        }
        return text.Length > 0 ? Secret.FromText(text)
            : throw new BadInputException(option, $"The password file {path} is empty.", "Write the password into it.");
    }

    static Secret Ask(string words)
    {
        Console.Error.Write(words);
        var typed = new System.Text.StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace) typed.Length = Math.Max(0, typed.Length - 1);
            else if (!char.IsControl(key.KeyChar)) typed.Append(key.KeyChar);
        }
        Console.Error.WriteLine();
        return Secret.FromText(typed.ToString());
    }

    static string? Setting(string name)
        => Environment.GetEnvironmentVariable("BACKUPDR_" + name) is { Length: > 0 } own ? own
            : Environment.GetEnvironmentVariable("RESTIC_" + name) is { Length: > 0 } restic ? restic : null;
}
