// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest driver for cross-VM connection devices.
 *
 * A connection is a PCI function: BAR0 is the event page (registers, and for some devices a page
 * that the peer writes), each further BAR a dataport. The driver makes one UIO device of it: map 0
 * is the event page, maps 1 to 4 are the dataports, and read() on the device waits for the peer's
 * next event.
 *
 * All BARs are RAM that the VMM shares with the guest. Loads cost nothing special; stores to the
 * event page exit to the VMM. Hence the driver acknowledges nothing on devices with the extended
 * block: it compares the device's sequences with private copies. Devices that have the base block
 * only want their COUNT set to 0 for each interrupt.
 *
 * Processes that only want to look read attributes in sysfs, since opening the device tells the peer
 * that a program came.
 *
 * What the device says is read once, checked, and used from the copy: the VMM is not trusted with
 * the guest's memory.
 */

#include <linux/build_bug.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/uio_driver.h>

#include <crossvm/device.h>

#ifndef PCI_IRQ_INTX /* its name before Linux 6.8 */
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

#define DEFAULT_NAME "connector"

/* One map for the event page, one for each dataport. */
static_assert(1 + CROSSVM_MAX_DATAPORTS <= MAX_UIO_MAPS);

struct crossvm_device {
	struct pci_dev *pdev;
	void __iomem *regs;	/* BAR0: event page, and peer page if there is one */
	bool extended;		/* the device has the extended block */
	bool peer_page;
	bool msi;
	int irq;

	/*
	 * INTx of extended devices: what the handler has claimed so far. No lock, since only the
	 * handler uses them, and the handlers of an interrupt never run at once.
	 */
	u64 claimed_seq;
	u64 claimed_peer;

	/* What DRIVER says follows from these; the lock holds over the store to it, too. */
	struct mutex driver_lock;
	bool live;
	unsigned int openers;

	/*
	 * Base block only: 1 if events came since the last open. Whether somebody read of them, UIO
	 * does not tell, so the next one to open the device is told again rather than never.
	 */
	atomic_t unseen;

	struct uio_info uio;
	char name[CROSSVM_FULL_NAME_BYTES];
	char version[16];
};

static struct crossvm_device *to_crossvm(struct uio_info *uio)
{
	return container_of(uio, struct crossvm_device, uio);
}

/* --- registers --- */

static u32 crossvm_read32(const struct crossvm_device *cv, unsigned int reg)
{
	return readl(cv->regs + reg);
}

/*
 * Stores go through writel(): it is one plain store instruction on every architecture, and a VMM
 * can decode nothing else.
 */
static void crossvm_write32(const struct crossvm_device *cv, unsigned int reg, u32 value)
{
	writel(value, cv->regs + reg);
}

static u64 crossvm_read64(const struct crossvm_device *cv, unsigned int reg)
{
#ifdef CONFIG_64BIT
	return readq(cv->regs + reg);
#else
	/*
	 * Two halves of one value, if the upper one was the same before and after. It changes once
	 * in 2^32 events, so one more look is enough for an honest counter, and another kind must
	 * not keep an interrupt handler busy.
	 */
	u32 upper = readl(cv->regs + reg + 4);
	u32 lower = readl(cv->regs + reg);
	u32 again = readl(cv->regs + reg + 4);

	if (upper != again)
		lower = readl(cv->regs + reg);
	return (u64)again << 32 | lower;
#endif
}

/* The sequence that counts the peer's events. */
static unsigned int crossvm_sequence_register(const struct crossvm_device *cv)
{
	bool peer_counts = cv->msi && cv->peer_page &&
			   crossvm_read32(cv, CROSSVM_REG_STATUS) & CROSSVM_STATUS_PEER_COUNTS;

	return peer_counts ? CROSSVM_REG_PEER_SEQ : CROSSVM_REG_EVENT_SEQ;
}

/* Its low word. */
static u32 crossvm_sequence(const struct crossvm_device *cv)
{
	return crossvm_read32(cv, crossvm_sequence_register(cv));
}

/* --- events --- */

/*
 * Takes over the events of a base block device, if there are any, and tells whoever has it open.
 * May run in the handler and in open at once: both then tell of the same events, which is one
 * wake-up too many and none too few.
 */
static bool crossvm_take_count(struct crossvm_device *cv)
{
	if (!crossvm_read32(cv, CROSSVM_REG_COUNT))
		return false;
	/* An event after the load above and before this store is told of below. */
	crossvm_write32(cv, CROSSVM_REG_COUNT, 0);
	atomic_set(&cv->unseen, 1);
	/*
	 * Orders unseen before the event count of the UIO device: an open that starts from the new
	 * count finds unseen set. Pairs with atomic_xchg() in crossvm_open().
	 */
	smp_wmb();
	uio_event_notify(&cv->uio);
	return true;
}

/* Tells whoever has the device open, if there are events that nobody has seen. */
static void crossvm_tell_unseen(struct crossvm_device *cv)
{
	if (!cv->extended)
		crossvm_take_count(cv);
	else if (crossvm_sequence(cv) != crossvm_read32(cv, CROSSVM_REG_SEEN))
		uio_event_notify(&cv->uio);
}

static irqreturn_t crossvm_msi(int irq, void *data)
{
	struct crossvm_device *cv = data;

	uio_event_notify(&cv->uio);
	return IRQ_HANDLED;
}

/*
 * The line may be another device's: claim what is news of this one. News that come after these
 * loads raise the interrupt again.
 */
static irqreturn_t crossvm_intx(int irq, void *data)
{
	struct crossvm_device *cv = data;
	u64 seq = crossvm_read64(cv, CROSSVM_REG_EVENT_SEQ);
	u64 peer = crossvm_read64(cv, CROSSVM_REG_PEER);

	if (seq == cv->claimed_seq && peer == cv->claimed_peer)
		return IRQ_NONE;
	cv->claimed_seq = seq;
	cv->claimed_peer = peer;
	uio_event_notify(&cv->uio);
	return IRQ_HANDLED;
}

static irqreturn_t crossvm_intx_base(int irq, void *data)
{
	return crossvm_take_count(data) ? IRQ_HANDLED : IRQ_NONE;
}

/* --- telling the peer who is here --- */

/* With driver_lock held. */
static void crossvm_store_driver(struct crossvm_device *cv)
{
	u32 state = CROSSVM_DRIVER_NONE;

	if (!cv->extended)
		return;
	if (cv->live)
		state = cv->openers ? CROSSVM_DRIVER_OPEN : CROSSVM_DRIVER_BOUND;
	crossvm_write32(cv, CROSSVM_REG_DRIVER, state);
}

static void crossvm_set_live(struct crossvm_device *cv, bool live)
{
	mutex_lock(&cv->driver_lock);
	cv->live = live;
	crossvm_store_driver(cv);
	mutex_unlock(&cv->driver_lock);
}

/*
 * Each store costs an exit, so only the first opener and the last to leave make one. Linux calls
 * the release hook for a killed process, too.
 */
static void crossvm_count_opener(struct crossvm_device *cv, bool opens)
{
	mutex_lock(&cv->driver_lock);
	if (opens ? cv->openers++ == 0 : --cv->openers == 0)
		if (cv->live)
			crossvm_store_driver(cv);
	mutex_unlock(&cv->driver_lock);
}

/* --- UIO hooks: called under a mutex that uio_unregister_device() takes, too --- */

/*
 * The opener's read() waits for a count of events that differs from the count before this call, so
 * an event told of here makes its first read() return.
 */
static int crossvm_open(struct uio_info *uio, struct inode *inode)
{
	struct crossvm_device *cv = to_crossvm(uio);

	crossvm_count_opener(cv, true);
	/*
	 * UIO shows the device to processes before it fills in what uio_event_notify() needs. Who
	 * opens that early is told by crossvm_go_live().
	 */
	if (!READ_ONCE(uio->uio_dev))
		return 0;

	crossvm_tell_unseen(cv);
	if (!cv->extended && atomic_xchg(&cv->unseen, 0))
		uio_event_notify(uio);
	return 0;
}

/* The last reference to an open file is gone: closed by all who shared it, and unmapped. */
static int crossvm_release(struct uio_info *uio, struct inode *inode)
{
	crossvm_count_opener(to_crossvm(uio), false);
	return 0;
}

/* --- attributes in sysfs, of devices with the extended block --- */

static ssize_t peer_state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", crossvm_read32(cv, CROSSVM_REG_PEER_STATE));
}
static DEVICE_ATTR_RO(peer_state);

static ssize_t peer_generation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", crossvm_read32(cv, CROSSVM_REG_PEER_GENERATION));
}
static DEVICE_ATTR_RO(peer_generation);

static ssize_t events_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", crossvm_read64(cv, crossvm_sequence_register(cv)));
}
static DEVICE_ATTR_RO(events);

static ssize_t end_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", crossvm_read32(cv, CROSSVM_REG_END));
}
static DEVICE_ATTR_RO(end);

static ssize_t dataport_rights_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);
	int length = 0;
	unsigned int i;

	/* Map 0 holds the registers. */
	for (i = 0; 1 + i < MAX_UIO_MAPS && cv->uio.mem[1 + i].size; i++)
		length += sysfs_emit_at(buf, length, "%s%u", i ? " " : "",
					crossvm_read32(cv, CROSSVM_REG_DATAPORT(i) +
							   CROSSVM_DATAPORT_RIGHTS));
	return length + sysfs_emit_at(buf, length, "\n");
}
static DEVICE_ATTR_RO(dataport_rights);

static struct attribute *crossvm_attributes[] = {
	&dev_attr_peer_state.attr, &dev_attr_peer_generation.attr,  &dev_attr_events.attr,
	&dev_attr_end.attr,	   &dev_attr_dataport_rights.attr, NULL,
};

static umode_t crossvm_attribute_mode(struct kobject *kobj, struct attribute *attr, int n)
{
	const struct crossvm_device *cv = dev_get_drvdata(kobj_to_dev(kobj));

	return cv && cv->extended ? attr->mode : 0;
}

static const struct attribute_group crossvm_group = {
	.name = "crossvm",
	.attrs = crossvm_attributes,
	.is_visible = crossvm_attribute_mode,
};

/* The kernel makes them when probe() is through, and removes them before remove(). */
static const struct attribute_group *crossvm_groups[] = { &crossvm_group, NULL };

/* --- description of the device for UIO --- */

/* Whether BAR bar is memory of at least size bytes that can be mapped by pages. */
static bool crossvm_bar_holds(struct pci_dev *pdev, u32 bar, u64 size)
{
	return bar < PCI_STD_NUM_BARS && pci_resource_flags(pdev, bar) & IORESOURCE_MEM &&
	       PAGE_ALIGNED(pci_resource_start(pdev, bar)) && pci_resource_len(pdev, bar) >= size;
}

static void crossvm_set_map(struct crossvm_device *cv, unsigned int map, unsigned int bar,
			    resource_size_t size)
{
	static const char *const names[] = {
		"event", "dataport0", "dataport1", "dataport2", "dataport3",
	};

	static_assert(ARRAY_SIZE(names) == 1 + CROSSVM_MAX_DATAPORTS);

	cv->uio.mem[map] = (struct uio_mem){
		.name = names[map],
		.addr = pci_resource_start(cv->pdev, bar),
		.size = size,
		/* The BAR is RAM that the other end maps cached; so does this kind of map. */
		.memtype = UIO_MEM_IOVA,
	};
}

/* Copies the name and makes it one that can name a file. */
static void crossvm_read_name(struct crossvm_device *cv)
{
	unsigned int reg = cv->extended ? CROSSVM_REG_FULL_NAME : CROSSVM_REG_NAME;
	size_t bytes = cv->extended ? CROSSVM_FULL_NAME_BYTES - 1 : CROSSVM_NAME_BYTES;
	char *c;

	static_assert(CROSSVM_NAME_BYTES < sizeof(cv->name));

	memcpy_fromio(cv->name, cv->regs + reg, bytes);
	cv->name[bytes] = '\0';

	for (c = cv->name; *c; c++)
		if (!(*c >= 'A' && *c <= 'Z') && !(*c >= 'a' && *c <= 'z') &&
		    !(*c >= '0' && *c <= '9') && !strchr("._-", *c))
			*c = '_';
	if (!cv->name[0] || !strcmp(cv->name, ".") || !strcmp(cv->name, ".."))
		strscpy(cv->name, DEFAULT_NAME, sizeof(cv->name));
}

static int crossvm_describe_dataport(struct crossvm_device *cv, unsigned int i,
				     unsigned long *bars_taken)
{
	unsigned int entry = CROSSVM_REG_DATAPORT(i);
	u64 size = crossvm_read64(cv, entry + CROSSVM_DATAPORT_SIZE);
	u32 bar = crossvm_read32(cv, entry + CROSSVM_DATAPORT_BAR);

	if (!size || !IS_ALIGNED(size, PAGE_SIZE) || bar < CROSSVM_BAR_DATAPORT ||
	    !crossvm_bar_holds(cv->pdev, bar, size)) {
		dev_err(&cv->pdev->dev,
			"dataport %u: %llu bytes do not fit BAR %u: the VMM describes it wrongly\n",
			i, size, bar);
		return -EINVAL;
	}
	if (__test_and_set_bit(bar, bars_taken)) {
		dev_err(&cv->pdev->dev,
			"dataport %u: BAR %u is another dataport's: the VMM describes it wrongly\n",
			i, bar);
		return -EINVAL;
	}
	crossvm_set_map(cv, 1 + i, bar, size);
	return 0;
}

static int crossvm_describe_extended(struct crossvm_device *cv)
{
	struct device *dev = &cv->pdev->dev;
	u32 num_dataports = crossvm_read32(cv, CROSSVM_REG_NUM_DATAPORTS);
	u32 features = crossvm_read32(cv, CROSSVM_REG_FEATURES);
	resource_size_t event_size = CROSSVM_PAGE_SIZE;
	unsigned long bars_taken = 0;
	unsigned int i;
	int ret;

	cv->peer_page = features & CROSSVM_FEATURE_PEER_PAGE;
	if (features & CROSSVM_FEATURE_OWN_PAGE)
		event_size = CROSSVM_OWN_PAGE + CROSSVM_PAGE_SIZE;
	else if (cv->peer_page)
		event_size = CROSSVM_PEER_PAGE + CROSSVM_PAGE_SIZE;
	if (!crossvm_bar_holds(cv->pdev, CROSSVM_BAR_EVENT, event_size)) {
		dev_err(dev, "BAR0 has no room for its pages: the VMM describes it wrongly\n");
		return -EINVAL;
	}
	crossvm_set_map(cv, 0, CROSSVM_BAR_EVENT, event_size);

	if (num_dataports > CROSSVM_MAX_DATAPORTS) {
		dev_err(dev, "%u dataports instead of at most %u: the VMM describes it wrongly\n",
			num_dataports, CROSSVM_MAX_DATAPORTS);
		return -EINVAL;
	}
	for (i = 0; i < num_dataports; i++) {
		ret = crossvm_describe_dataport(cv, i, &bars_taken);
		if (ret)
			return ret;
	}
	return 0;
}

static void crossvm_describe_base(struct crossvm_device *cv)
{
	crossvm_set_map(cv, 0, CROSSVM_BAR_EVENT, CROSSVM_PAGE_SIZE);
	if (crossvm_bar_holds(cv->pdev, CROSSVM_BAR_DATAPORT, PAGE_SIZE))
		crossvm_set_map(cv, 1, CROSSVM_BAR_DATAPORT,
				pci_resource_len(cv->pdev, CROSSVM_BAR_DATAPORT));
}

/* Finds out what the device is and fills in the uio_info. */
static int crossvm_describe(struct crossvm_device *cv)
{
	/* In this order, since the magic comes last in a device that is being installed. */
	u32 magic = crossvm_read32(cv, CROSSVM_REG_MAGIC);
	u32 version = crossvm_read32(cv, CROSSVM_REG_VERSION);
	int ret = 0;

	cv->extended = magic == CROSSVM_MAGIC;
	if (cv->extended && version >> 16 != CROSSVM_DEVICE_VERSION_MAJOR) {
		dev_warn(&cv->pdev->dev,
			 "interface %u.%u is not known: update the driver to use more than the base block\n",
			 version >> 16, version & 0xffff);
		cv->extended = false;
	}

	crossvm_read_name(cv);
	if (cv->extended) {
		snprintf(cv->version, sizeof(cv->version), "%u.%u", version >> 16,
			 version & 0xffff);
		ret = crossvm_describe_extended(cv);
	} else {
		strscpy(cv->version, "base", sizeof(cv->version));
		crossvm_describe_base(cv);
	}

	cv->uio.name = cv->name;
	cv->uio.version = cv->version;
	/* Requested by this driver: if UIO failed to, it would take uio_dev from crossvm_open(). */
	cv->uio.irq = UIO_IRQ_CUSTOM;
	cv->uio.open = crossvm_open;
	cv->uio.release = crossvm_release;
	return ret;
}

/* --- life --- */

static int crossvm_map_registers(struct crossvm_device *cv)
{
	struct pci_dev *pdev = cv->pdev;
	resource_size_t start = pci_resource_start(pdev, CROSSVM_BAR_EVENT);
	resource_size_t size;

	if (!crossvm_bar_holds(pdev, CROSSVM_BAR_EVENT, CROSSVM_PAGE_SIZE)) {
		dev_err(&pdev->dev, "BAR0 is no page of memory: the VMM describes it wrongly\n");
		return -EINVAL;
	}
	size = min_t(resource_size_t, pci_resource_len(pdev, CROSSVM_BAR_EVENT),
		     CROSSVM_PEER_PAGE + CROSSVM_PAGE_SIZE);
	/* Cached like the other end's mapping of this RAM: else arm64 may show old contents. */
	cv->regs = (void __iomem __force *)memremap(start, size, MEMREMAP_WB);
	if (!cv->regs) {
		dev_err(&pdev->dev, "cannot map BAR0\n");
		return -ENOMEM;
	}
	return 0;
}

static void crossvm_unmap_registers(struct crossvm_device *cv)
{
	memunmap((void __force *)cv->regs);
}

/* Gives the device an interrupt, which INTx devices do not raise yet. */
static int crossvm_alloc_irq(struct crossvm_device *cv)
{
	/* Base block devices are known with INTx only. */
	unsigned int kinds = cv->extended ? PCI_IRQ_MSI | PCI_IRQ_INTX : PCI_IRQ_INTX;
	int ret = pci_alloc_irq_vectors(cv->pdev, 1, 1, kinds);

	if (ret < 0) {
		dev_err(&cv->pdev->dev,
			"no interrupt: the VMM offers neither an MSI nor an INTx that works\n");
		return ret;
	}
	cv->msi = cv->pdev->msi_enabled;
	cv->irq = pci_irq_vector(cv->pdev, 0);
	if (!cv->msi)
		pci_intx(cv->pdev, 0);
	return 0;
}

static int crossvm_request_irq(struct crossvm_device *cv)
{
	irq_handler_t handler = cv->extended ? crossvm_intx : crossvm_intx_base;
	unsigned long flags = IRQF_SHARED;
	int ret;

	if (cv->msi) {
		handler = crossvm_msi;
		flags = 0;
	}
	ret = request_irq(cv->irq, handler, flags, cv->name, cv);
	if (ret)
		dev_err(&cv->pdev->dev, "cannot use interrupt %d: error %d\n", cv->irq, ret);
	return ret;
}

/*
 * Says that a driver is there, and only then lets INTx come: the device holds interrupts back when
 * nobody seems to handle them, which without DRIVER it tells by COUNT not being written.
 */
static void crossvm_go_live(struct crossvm_device *cv)
{
	crossvm_set_live(cv, true);
	if (!cv->msi)
		pci_intx(cv->pdev, 1);
	/*
	 * Earlier events may have raised no interrupt, and processes that were early to open the
	 * device were not told of them. Interrupts are on by now (MSI since request_irq()), and the
	 * accesses that turned them on exited to the VMM, so they come before the loads that
	 * follow: an event that these miss raises an interrupt.
	 */
	crossvm_tell_unseen(cv);
}

/* Undoes crossvm_go_live(), in the opposite order. */
static void crossvm_go_quiet(struct crossvm_device *cv)
{
	if (!cv->msi)
		pci_intx(cv->pdev, 0);
	crossvm_set_live(cv, false);
}

static void crossvm_disable(struct pci_dev *pdev)
{
	/*
	 * The events of an unbound device shall raise nothing, but pci_enable_device() turned INTx
	 * on, and so did freeing an MSI.
	 */
	pci_intx(pdev, 0);
	pci_disable_device(pdev);
}

static int crossvm_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct crossvm_device *cv;
	int ret;

	if (PAGE_SIZE > CROSSVM_PAGE_SIZE) {
		dev_err(&pdev->dev,
			"pages of %lu bytes are too large to map it: use a kernel with %u\n",
			PAGE_SIZE, CROSSVM_PAGE_SIZE);
		return -EOPNOTSUPP;
	}

	/* Open files and mappings refer to UIO's own device, so this one may go before them. */
	cv = devm_kzalloc(&pdev->dev, sizeof(*cv), GFP_KERNEL);
	if (!cv)
		return -ENOMEM;
	cv->pdev = pdev;
	mutex_init(&cv->driver_lock);

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = pci_request_regions(pdev, KBUILD_MODNAME);
	if (ret)
		goto disable;
	ret = crossvm_map_registers(cv);
	if (ret)
		goto release_regions;
	ret = crossvm_describe(cv);
	if (ret)
		goto unmap;
	pci_set_master(pdev); /* an MSI is a write of the device's */
	ret = crossvm_alloc_irq(cv);
	if (ret)
		goto unmap;
	ret = uio_register_device(&pdev->dev, &cv->uio);
	if (ret)
		goto free_irq;
	/* Only now, since the handler needs the UIO device. */
	ret = crossvm_request_irq(cv);
	if (ret)
		goto unregister;

	pci_set_drvdata(pdev, cv);
	crossvm_go_live(cv);
	return 0;

unregister:
	uio_unregister_device(&cv->uio);
free_irq:
	pci_free_irq_vectors(pdev);
unmap:
	crossvm_unmap_registers(cv);
release_regions:
	pci_release_regions(pdev);
disable:
	crossvm_disable(pdev);
	return ret;
}

/*
 * Processes that have the device open get EIO from then on. What they have mapped stays as it is,
 * since it is memory of the device and not of the driver.
 */
static void crossvm_remove(struct pci_dev *pdev)
{
	struct crossvm_device *cv = pci_get_drvdata(pdev);

	crossvm_go_quiet(cv);
	/* Waits for the handler, after which only hooks notify the UIO device. */
	free_irq(cv->irq, cv);
	/* Waits for the hooks, after which nobody accesses the registers. */
	uio_unregister_device(&cv->uio);
	pci_free_irq_vectors(pdev);
	crossvm_unmap_registers(cv);
	pci_release_regions(pdev);
	crossvm_disable(pdev);
}

/* For a kernel that follows (kexec). The handler and the hooks may run on. */
static void crossvm_shutdown(struct pci_dev *pdev)
{
	crossvm_go_quiet(pci_get_drvdata(pdev));
}

static const struct pci_device_id crossvm_ids[] = {
	{ PCI_DEVICE(CROSSVM_PCI_VENDOR, CROSSVM_PCI_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, crossvm_ids);

static struct pci_driver crossvm_driver = {
	.name = KBUILD_MODNAME,
	.id_table = crossvm_ids,
	.probe = crossvm_probe,
	.remove = crossvm_remove,
	.shutdown = crossvm_shutdown,
	.dev_groups = crossvm_groups,
};
module_pci_driver(crossvm_driver);

MODULE_DESCRIPTION("Cross-VM connections: events and shared memory between this guest and a peer");
MODULE_LICENSE("GPL");
